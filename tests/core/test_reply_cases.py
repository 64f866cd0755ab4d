"""Replies that do not obey, each with the outcome it must have: ours, and those kept with the corpus."""

import json
from importlib import import_module
from pathlib import Path

import pytest

from grounding_assets.core.annotation.grounding_reply import read_part
from grounding_assets.core.boxes.coordinates import CONVENTIONS, resolve_boxes
from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.records import Expression
from tests.core.reply_cases import CUT, FAILS
from tests.corpus import CORPUS

SIZE = (1000, 1000)
SHARED = CORPUS.parent / "cases" / "replies.jsonl"
SHARED_CASES = (
    {row["name"]: row for row in map(json.loads, SHARED.read_text(encoding="utf-8").splitlines())}
    if SHARED.exists()
    else {}
)

TABLES = sorted(file.stem for file in Path(__file__).parent.glob("reply_cases_*.py"))
CASES = [case for table in TABLES for case in import_module(f"tests.core.{table}").CASES]


def outcome(asked, reply, *, ended_for_length=False):
    """The boxes of each id, or the reason of the failure."""
    part = [Expression(text, (0, len(text)), text) for text in asked.values()]
    convention = CONVENTIONS["xyxy_1000"]
    try:
        matched = read_part(reply, part, convention, ended_for_length=ended_for_length)
        resolved = resolve_boxes(matched.per_expression, convention, SIZE, SIZE)
    except SampleFailure as failure:
        # whatever is wrong with a reply that was cut, the teacher asks again with more room
        return Reason.TRUNCATED if ended_for_length else failure.reason
    boxes = [[list(instance.bbox) for instance in instances] for instances in resolved.instances]
    return dict(zip(asked, boxes, strict=True))


def is_right(came, wanted):
    """Whether an outcome is one of those that are wanted; boxes may come in any order."""
    if isinstance(came, Reason):
        return FAILS in wanted or (CUT in wanted and came is Reason.TRUNCATED)
    return any(
        isinstance(one, dict)
        and {i: sorted(b) for i, b in one.items()} == {i: sorted(b) for i, b in came.items()}
        for one in wanted
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case):
    came = outcome(case.asked, case.reply, ended_for_length=case.ended_for_length)
    assert is_right(came, case.outcomes), came


@pytest.mark.skipif(not SHARED_CASES, reason=f"{SHARED} is not there")
@pytest.mark.parametrize("name", SHARED_CASES)
def test_case_of_the_corpus(name):
    row = SHARED_CASES[name]
    wanted = [
        one["boxes"] if isinstance(one, dict) else CUT if "truncated" in one else one
        for one in row["acceptable"]
    ]
    came = outcome(row["asked"], row["reply"])
    assert is_right(came, wanted), came


def test_the_corpus_has_all_its_cases():
    assert len(SHARED_CASES) in (0, 58)

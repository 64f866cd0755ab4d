"""Marks taken over, and what they make of the records that exports read."""

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from grounding_assets.core.dataset.annotated import read_samples
from grounding_assets.core.errors import InputError
from grounding_assets.core.exports import export
from grounding_assets.core.files import write_lines
from grounding_assets.core.review.gold import write_reviewed_gold
from grounding_assets.core.review.marks import read_marks
from grounding_assets.core.review.reviews import Reviews
from grounding_assets.core.review.taking import Taken, take_marks
from grounding_assets.core.spec.export_settings import ExportSpec
from tests.review.marking import DATA_SET, boxes_by_text, judged_record, mark, marks_of

REJECT, ACCEPT = {"verdict": "reject"}, {"verdict": "accept"}


def taken(folder: Path, reviews: Reviews, marks: dict[str, Any], *records: dict[str, Any]) -> Taken:
    file = folder / "marks.json"
    file.write_text(json.dumps(marks), encoding="utf-8")
    return take_marks(read_marks(file, DATA_SET), records, reviews, "the annotations")


def applied(reviews: Reviews, record: dict[str, Any]) -> dict[str, list[list[int]]] | None:
    [sample] = read_samples([record], "test")
    kept = reviews.apply(sample, Counter())
    if kept is None:
        return None
    assert [[i.bbox for i in e.instances] for e in kept.expressions] == [
        [tuple(i["bbox"]) for i in row["instances"]] for row in kept.record["expressions"]
    ]
    return boxes_by_text(kept.record["expressions"])


UNMARKED = boxes_by_text(judged_record()["expressions"])


@pytest.mark.parametrize(
    ("verdict", "phrases", "expected"),
    [
        ("accept", {}, UNMARKED),
        ("reject", {}, None),
        (None, {"e1": REJECT}, {k: v for k, v in UNMARKED.items() if k != "a cat"}),
        ("accept", {"e1": REJECT}, {k: v for k, v in UNMARKED.items() if k != "a cat"}),
        (None, {f"e{n}": REJECT for n in range(4)}, None),
        (None, {"e0": {"boxes": [[1, 2, 30, 40]]}}, UNMARKED | {"A dog": [[1, 2, 30, 40]]}),
        (None, {"e3": {"boxes": [[0.4, 49.6, 100, 140]]}}, UNMARKED | {"a lawn": [[0, 50, 100, 100]]}),
        (None, {"e0": {"boxes": []}}, UNMARKED | {"A dog": []}),
        (None, {"e0": {"boxes": [[1, 2, 3, 4]], "verdict": "reject"}},
         {k: v for k, v in UNMARKED.items() if k != "A dog"}),
    ],
    ids=["accepted", "rejected", "phrase", "phrase of an accepted one", "every phrase", "moved", "drawn and cut at the edge",
         "not there", "corrected, then rejected"],
)  # fmt: skip
def test_what_marks_make_of_a_sample(tmp_path: Path, verdict, phrases, expected) -> None:
    record, reviews = judged_record(), Reviews()
    taken(tmp_path, reviews, marks_of(mark(record, verdict, **phrases)), record)
    reviews.save(tmp_path)
    assert applied(Reviews.load(tmp_path), record) == expected
    assert applied(reviews, judged_record("0002")) == UNMARKED, "of another sample nothing was said"


def test_a_correction_is_never_mixed_with_the_models_scores(tmp_path: Path) -> None:
    record, reviews = judged_record(), Reviews()
    kept, drawn = [60, 0, 70, 10], [10, 60, 30, 90]
    taken(tmp_path, reviews, marks_of(mark(record, e2={"boxes": [kept, drawn]})), record)
    [sample] = read_samples([record], "test")
    after = reviews.apply(sample, Counter())
    assert after is not None
    assert [(i.bbox, i.score, i.score_source) for i in after.expressions[2].instances] == [
        (tuple(kept), 0.8, "model"),
        (tuple(drawn), 1.0, "reviewer"),
    ]
    assert after.expressions[2] is not sample.expressions[2] and after.expressions[1] is sample.expressions[1]


def test_marks_of_another_result_are_listed_and_not_applied(tmp_path: Path) -> None:
    record, reviews = judged_record(), Reviews()
    marks = marks_of(mark(record, "reject"), mark(judged_record("gone"), "reject"))
    changed = judged_record()
    changed["expressions"][0]["instances"][0]["bbox"] = [0, 0, 11, 10]
    found = taken(tmp_path, reviews, marks, changed)
    assert (found.new, found.stale, found.unknown, len(reviews)) == (0, ["0001"], ["gone"], 0)


def test_a_rejection_lapses_with_its_result_and_a_correction_stays(tmp_path: Path) -> None:
    record, reviews = judged_record(), Reviews()
    taken(
        tmp_path, reviews, marks_of(mark(record, e0=REJECT, e1={"boxes": [[1, 1, 9, 9]]}, e2=ACCEPT)), record
    )
    redone = judged_record()
    for expression in redone["expressions"]:
        expression["instances"] = [
            {"bbox_id": "x", "bbox": [40, 40, 60, 60], "score": 0.7, "score_source": "model"}
        ]
    new = [[40, 40, 60, 60]]
    assert applied(reviews, redone) == {
        "A dog": new,
        "a cat": [[1, 1, 9, 9]],
        "two birds": UNMARKED["two birds"],
        "a lawn": new,
    }
    assert applied(reviews, redone | {"width": 200}) == dict.fromkeys(UNMARKED, new), "another picture"


def test_twice_is_harmless_and_two_reviewers_add_up(tmp_path: Path) -> None:
    record, reviews = judged_record(), Reviews()
    first = marks_of(mark(record, e0=REJECT))
    assert taken(tmp_path, reviews, first, record).new == 1
    once = [one.model_dump() for one in reviews]
    again = taken(tmp_path, reviews, first, record)
    assert (again.new, again.known, [one.model_dump() for one in reviews]) == (0, 1, once)
    second = marks_of(mark(record, e1=REJECT), by="ben", at="2026-11-02T10:00:00Z")
    assert taken(tmp_path, reviews, second, record).overruled == []
    assert applied(reviews, record) == {k: UNMARKED[k] for k in ("two birds", "a lawn")}


@pytest.mark.parametrize("later_first", [False, True])
@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("2026-11-01T10:00:00Z", "2026-11-01T12:00:00+01:00"),
        ("2026-10-25T00:30:00Z", "2026-10-25T01:10:00Z"),
        ("2026-11-01T23:30:00+14:00", "2026-11-01T10:00:00Z"),
    ],
    ids=["two zones", "an hour that a clock shows twice", "a later text"],
)
def test_of_two_that_disagree_the_later_counts_in_any_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, earlier: str, later: str, later_first: bool
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    record, reviews = judged_record(), Reviews()
    files = [
        marks_of(mark(record, e0=REJECT), at=earlier),
        marks_of(mark(record, e0=ACCEPT), by="ben", at=later),
    ]
    found = [taken(tmp_path, reviews, marks, record) for marks in (files[::-1] if later_first else files)]
    assert applied(reviews, record) == UNMARKED
    assert found[1].overruled == ["0001, 'A dog': rejected by anna, later accepted by ben"]


def test_a_sample_that_stands_twice_in_a_file_is_heard_twice(tmp_path: Path) -> None:
    record, reviews = judged_record(), Reviews()
    twice = marks_of(mark(record, "reject", e0=REJECT), mark(record, "accept", e1=REJECT))
    found = taken(tmp_path, reviews, twice, record)
    assert found.new == 4 and found.overruled == ["0001: rejected by anna, later accepted by anna"]
    assert applied(reviews, record) == {k: UNMARKED[k] for k in ("two birds", "a lawn")}


def test_a_mark_can_be_taken_back(tmp_path: Path) -> None:
    record, reviews = judged_record(), Reviews()
    taken(tmp_path, reviews, marks_of(mark(record, "reject", e0=REJECT)), record)
    back = mark(record, e0={"verdict": None}) | {"verdict": None}
    taken(tmp_path, reviews, marks_of(back, at="2026-11-03T00:00:00Z"), record)
    assert applied(reviews, record) == UNMARKED


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "no file of marks"),
        (json.dumps(marks_of(report="other")), "'other'"),
        (json.dumps(marks_of({"sample_id": "0001", "result": "x", "verdict": "maybe"})), "marks.0.verdict"),
        (json.dumps(marks_of(mark(judged_record(), e9=REJECT))), "expression 9"),
        (json.dumps(marks_of(mark(judged_record(), e0={"boxes": [[5, 5, 5, 9]]}))), "empty or outside"),
        (json.dumps(marks_of(mark(judged_record(), e0={"boxes": [[5, 5, float("nan"), 9]]}))), "marks.0"),
        (json.dumps(marks_of(mark(judged_record(), e0={"boxes": [[1e999, 5, 7, 9]]}))), "marks.0"),
    ],
)
def test_a_broken_file_is_refused(tmp_path: Path, broken: str, told: str) -> None:
    (tmp_path / "marks.json").write_text(broken)
    with pytest.raises(InputError, match=told):
        marks = read_marks(tmp_path / "marks.json", DATA_SET)
        take_marks(marks, [judged_record()], Reviews(), "the annotations")


def test_a_damaged_reviews_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "reviews.jsonl").write_text('{"sample_id": 3}\n')
    with pytest.raises(InputError, match=r"reviews\.jsonl, line 1 is damaged: sample_id"):
        Reviews.load(tmp_path)


@pytest.mark.parametrize(
    ("replaced", "gold"),
    [({}, 2), ({"width": 200}, 1), ({"provenance": {"step_1": {"image_sha256": "5" * 64}}}, 1)],
    ids=["as it was", "another size", "another file"],
)
def test_what_was_judged_on_another_image_is_no_gold(
    tmp_path: Path, replaced: dict[str, Any], gold: int
) -> None:
    seen: dict[str, Any] = {"provenance": {"step_1": {"image_sha256": "4" * 64}}}
    records, reviews = [judged_record(**seen), judged_record("0002", **seen)], Reviews()
    taken(tmp_path, reviews, marks_of(*(mark(record, "accept") for record in records)), *records)
    reviews.save(tmp_path)
    write_lines(tmp_path / "annotations.jsonl", [records[0], records[1] | replaced])
    found = write_reviewed_gold(tmp_path)
    assert (found.samples, found.other_image) == (gold, 2 - gold)


def verified_record() -> dict[str, Any]:
    """Step 2 refuted the dog's box and the first of the birds, and finds the birds incomplete."""
    record = judged_record(
        pipeline_steps=["step0_expression_extraction", "step1_grounding", "step2_verification"]
    )
    for position, (complete, verdicts) in enumerate(
        [(True, [False]), (True, [True]), (False, [False, None]), (None, [])]
    ):
        record["expressions"][position]["complete"] = complete
        for instance, verdict in zip(record["expressions"][position]["instances"], verdicts, strict=True):
            instance["verified"] = verdict
    return record


@pytest.mark.parametrize(
    ("filters", "marked", "expected"),
    [
        ({"drop_refuted": True}, {}, {"a cat": 1, "two birds": 1, "a lawn": 0}),
        ({"only_complete": True}, {}, {"A dog": 1, "a cat": 1}),
        ({"drop_refuted": True, "only_complete": True}, {}, {"a cat": 1}),
        ({"drop_refuted": True, "only_complete": True}, {"e0": ACCEPT, "e2": {"boxes": [[1, 1, 9, 9]]}},
         {"A dog": 1, "a cat": 1, "two birds": 1}),
        ({"min_score": 0.9}, {"e0": ACCEPT, "e1": {"boxes": [[20, 20, 50, 51]]}}, {"A dog": 1, "a cat": 1, "a lawn": 0}),
    ],
    ids=["refuted boxes", "incomplete phrases", "both", "a reviewer outranks the verifier", "and scores"],
)  # fmt: skip
def test_exports_go_by_verification_and_by_reviewers(tmp_path: Path, filters, marked, expected) -> None:
    import pyarrow.parquet

    record, reviews = verified_record(), Reviews()
    taken(tmp_path, reviews, marks_of(mark(record, **marked)), record)
    export([record], tmp_path / "out", "parquet", ExportSpec(**filters), reviews=reviews)
    [row] = pyarrow.parquet.read_table(tmp_path / "out" / "train.parquet").to_pylist()
    assert {e["text"]: len(e["instances"]) for e in row["expressions"]} == expected


@pytest.mark.parametrize("name", ["drop_refuted", "only_complete"])
def test_filters_by_verification_need_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="has not run"):
        export([judged_record()], tmp_path / "out", "odvg", ExportSpec.model_validate({name: True}))
    assert not (tmp_path / "out").exists(), "a folder that was made for nothing goes again"


def test_the_card_tells_what_reviewers_did(tmp_path: Path) -> None:
    record, rejected, reviews = judged_record(), judged_record("0002"), Reviews()
    marks = marks_of(
        mark(record, e0=REJECT, e1={"boxes": [[1, 1, 9, 9]]}, e2=ACCEPT), mark(rejected, "reject")
    )
    taken(tmp_path, reviews, marks, record, rejected)
    report = export([record, rejected], tmp_path / "out", "odvg", reviews=reviews)
    assert report.left_out["samples that a reviewer rejected"] == 1
    assert report.left_out["expressions that a reviewer rejected"] == 1
    card = (tmp_path / "out" / "README.md").read_text()
    assert "checked by people in part" in card
    assert (
        "| expressions corrected by a reviewer | 1 |" in card
        and "| expressions accepted by a reviewer | 1 |" in card
    )
    assert json.loads((tmp_path / "out" / "export.json").read_text())["reviewed"] == {
        "expressions accepted by a reviewer": 1,
        "expressions corrected by a reviewer": 1,
    }

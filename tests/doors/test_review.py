"""A round trip through the command: annotate, mark, take the marks over, export, ask again, measure."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from grounding_assets.core.review.judged import result_digest
from tests.corpus import needs_corpus
from tests.doors.project import Project, coco24_rows, endpoint_settings, make_project, sample_calls
from tests.endpoints.server import SimulatedEndpoint, running
from tests.review.commands import command, exported, with_phrases

pytestmark = needs_corpus("coco24")
ROWS = 12


@pytest.fixture
def endpoint():
    with running(SimulatedEndpoint("vllm", "qwen3_vl")) as endpoint:
        yield endpoint


@pytest.fixture
def project(tmp_path: Path, endpoint: SimulatedEndpoint) -> Project:
    project = make_project(tmp_path, endpoint_settings(endpoint))
    project.write_input(coco24_rows(ROWS))
    done = project.generate()
    assert done.returncode == 0, done.stderr
    return project


def write_marks(project: Project, *marks: dict[str, Any], report: str = "tested", **others: Any) -> str:
    whole = {"report": report, "exported_at": "2026-11-01T10:00:00Z", "marks": list(marks), **others}
    (project.folder / "marks.json").write_text(json.dumps(whole))
    return f"marks={project.folder / 'marks.json'}"


def mark(record: dict[str, Any], verdict: str | None = None, **phrases: Any) -> dict[str, Any]:
    entry = {"sample_id": record["sample_id"], "result": result_digest(record)}
    said = {"verdict": verdict} if verdict else {}
    return entry | said | {"expressions": [{"index": int(n[1:]), **told} for n, told in phrases.items()]}


def test_rejected_is_gone_corrected_is_corrected_and_nothing_else_moves(project, endpoint, capsys) -> None:
    before_review = exported(project)
    phrase, box, whole = with_phrases(project.lines())[:3]
    boxed = [i for i, e in enumerate(phrase["expressions"]) if e["instances"]]
    corrected = next(i for i, e in enumerate(box["expressions"]) if e["instances"])
    marks = write_marks(
        project,
        mark(phrase, None, **{f"e{boxed[0]}": {"verdict": "reject"}}),
        mark(box, None, **{f"e{corrected}": {"boxes": [[1, 2, 30, 40]]}}),
        mark(whole, "reject"),
    )
    assert command(project, "review", marks) == 0
    assert command(project, "review", marks) == 0
    told = capsys.readouterr().out
    assert "3 marks by reviewer" in told and "0 marks by reviewer" in told and "3 known already" in told
    expected = copy.deepcopy(before_review)
    del expected[phrase["expressions"][boxed[0]]["expression_id"]]
    expected[box["expressions"][corrected]["expression_id"]] = [[1, 2, 30, 40]]
    for expression in whole["expressions"]:
        del expected[expression["expression_id"]]
    assert exported(project) == expected

    since = len(endpoint.requests)
    kept = {line["sample_id"]: line for line in project.lines()}
    again = project.generate("redo=rejected", "image_grounding.vlm.openai.temperature=0.9")
    assert again.returncode == 0, again.stderr
    assert "1 samples, and 1 expressions of 1 others" in again.stderr
    calls = sample_calls(endpoint, since)
    assert sorted(step for step, _ in calls) == ["0", "1", "1"], "just those, and of the one just its step 1"
    for line in project.lines():
        if line["sample_id"] not in (phrase["sample_id"], whole["sample_id"]):
            assert line == kept[line["sample_id"]]
    [redone] = [line for line in project.lines() if line["sample_id"] == phrase["sample_id"]]
    others = [i for i in range(len(redone["expressions"])) if i != boxed[0]]
    for position in others:
        assert redone["expressions"][position] == phrase["expressions"][position]
    assert redone["provenance"]["step_1"]["expressions_asked_again"] == [boxed[0]]


def test_marks_of_another_data_set_and_stale_marks(project, capsys) -> None:
    line, before = project.lines()[0], exported(project)
    assert command(project, "review", write_marks(project, mark(line, "reject"), report="other")) == 2
    assert "'other'" in capsys.readouterr().err
    assert not (project.results / "reviews.jsonl").exists()
    stale = mark(line, "reject") | {"result": "0" * 12}
    assert command(project, "review", write_marks(project, stale)) == 0
    assert "Stale:       1 samples" in (told := capsys.readouterr().out) and line["sample_id"] in told
    assert exported(project) == before, "nothing was applied"


def test_results_are_measured_on_what_reviewers_said(project, capsys) -> None:
    accepted, corrected, rejected = with_phrases(project.lines())[:3]
    place = next(i for i, e in enumerate(corrected["expressions"]) if e["instances"])
    marks = write_marks(
        project,
        mark(accepted, "accept"),
        mark(corrected, None, **{f"e{place}": {"boxes": [[0, 0, 3, 3]]}}),
        mark(rejected, e0={"verdict": "reject"}),
    )
    assert command(project, "review", marks) == 0
    assert command(project, "evaluate", "gold=reviewed") == 0
    told = capsys.readouterr().out
    assert "1 expressions were rejected without a box" in told
    judged = json.loads((project.results / "evaluation.json").read_text())
    boxed = sum(bool(e["instances"]) for e in accepted["expressions"])
    assert judged["gold"].endswith("reviewed_gold.jsonl")
    assert judged["overall"]["r1_50"]["value"] == pytest.approx(boxed / (boxed + 1))


def test_nothing_reviewed_is_said(project, capsys) -> None:
    assert command(project, "review") == 0
    assert "nothing was marked yet" in capsys.readouterr().out
    assert command(project, "evaluate", "gold=reviewed") == 2
    assert "auto_label review" in capsys.readouterr().err
    ended = project.generate("redo=rejected")
    assert ended.returncode == 0 and "0 samples, and 0 expressions" in ended.stderr

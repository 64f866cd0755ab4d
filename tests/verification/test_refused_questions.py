"""A refusal without a reason (403) in step 2: the sample's own where others are answered, the account's where none is."""

from pathlib import Path

import pytest

from tests.doors.project import Project, endpoint_settings, make_project
from tests.endpoints.faults import Fault, Faults, Rule
from tests.endpoints.server import SimulatedEndpoint, running
from tests.endurance.pictures import Pictures, make_pictures
from tests.endurance.runs import generate
from tests.endurance.status import ids_on_disk

COUNT = 10
ALONE = 'image_grounding.workflow.steps=["2"]'
MEASURED = "image_grounding.vlm.measure=false"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    return make_pictures(tmp_path_factory.mktemp("pictures"), COUNT)


def grounded(folder: Path, endpoint: SimulatedEndpoint, pictures: Pictures) -> Project:
    project = make_project(folder, endpoint_settings(endpoint), image_root=pictures.folder)
    project.write_input(pictures.rows)
    assert generate(project, MEASURED).code == 0
    return project


def workers(count: int) -> str:
    return f"image_grounding.workflow.max_workers={count}"


@pytest.mark.parametrize("count", [1, 8])
def test_one_sample_whose_questions_are_refused(tmp_path: Path, pictures: Pictures, count: int) -> None:
    """The very first one. With one request at a time nothing tells what the refusal is about until others are answered."""
    caption = pictures.rows[0]["caption"]
    with running(SimulatedEndpoint("vllm", gold=pictures.gold)) as endpoint:
        project = grounded(tmp_path, endpoint, pictures)
        endpoint.faults = Faults((Rule(Fault.FORBIDDEN_BARE, captions=(caption,), step="2"),))
        ended = generate(project, ALONE, MEASURED, workers(count))
        refused = endpoint.recorder.by_fault["forbidden_bare"]
    failures = project.lines("failures.jsonl")
    lines = project.lines()
    assert len(lines) == COUNT, "its boxes are there, whatever became of its verification"
    (line,) = (line for line in lines if line["caption"] == caption)
    assert all(box["verified"] is None for e in line["expressions"] for box in e["instances"])
    others = [e for one in lines if one is not line for e in one["expressions"]]
    assert all(e["complete"] is not None for e in others), ended.output
    if failures:
        assert ended.code == 1
        assert [(row["caption"], row["step"], row["reason"], row["in_annotations"]) for row in failures] == [
            (caption, "2", "refused", True)
        ]
        assert refused == 1, "it was not asked in vain again"
    else:
        assert ended.code == 0
        checks = line["provenance"]["step_2"]["failed_checks"]
        assert [check["reason"] for check in checks] == ["refused"] * refused


@pytest.mark.parametrize("count", [1, 8])
def test_an_account_that_is_closed_meanwhile_fails_no_sample(
    tmp_path: Path, pictures: Pictures, count: int
) -> None:
    with running(SimulatedEndpoint("vllm", gold=pictures.gold)) as endpoint:
        project = grounded(tmp_path, endpoint, pictures)
        endpoint.faults = Faults((Rule(Fault.FORBIDDEN_BARE, step="2"),))
        ended = generate(project, ALONE, MEASURED, workers(count))
        assert ended.code == 1 and "(403)" in ended.stderr.splitlines()[-1]
        assert endpoint.recorder.by_fault["forbidden_bare"] <= max(count, 3)
        assert project.lines("failures.jsonl") == [] and len(project.lines()) == COUNT
        assert ids_on_disk(project, "1") and not list(project.results.glob("step_2*/.failed/*.json"))
        endpoint.faults = Faults()
        assert generate(project, ALONE, MEASURED, workers(count)).code == 0
    assert all(e["complete"] is not None for line in project.lines() for e in line["expressions"])

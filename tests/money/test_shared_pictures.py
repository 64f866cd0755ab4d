"""Captions that share a picture: one call of step 1 for all of them, and the same boxes."""

from pathlib import Path
from typing import Any

from tests.doors.project import coco24_rows, endpoint_settings, make_project
from tests.endpoints.faults import Fault, Faults, Rule
from tests.endpoints.model import Behaviour
from tests.endpoints.server import SimulatedEndpoint, running
from tests.endurance.runs import generate

ON = "workflow.share_pictures=on"
SETTINGS = "image_grounding.vlm.measure=false"


def boxes(lines: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        line["sample_id"]: [
            (one["text"], [instance["bbox"] for instance in one["instances"]], one["grounding_status"])
            for one in line["expressions"]
        ]
        for line in lines
    }


def test_120_samples_of_24_photos_take_24_calls_of_step_1(tmp_path: Path) -> None:
    perfect = Behaviour(noise=0.0)
    with running(SimulatedEndpoint("vllm", behaviour=perfect)) as endpoint:
        found = []
        for name, words in (("alone", ()), ("shared", (ON,))):
            project = make_project(tmp_path / name, endpoint_settings(endpoint))
            project.write_input(coco24_rows())
            before = len(endpoint.requests)
            ended = generate(project, SETTINGS, *words)
            assert ended.code == 0, ended.output
            lines = project.lines()
            found.append((boxes(lines), [r for r in endpoint.requests[before:] if r.step == "1"]))
            assert project.status("groundings")["materialized"] == 120
    (alone, _), (shared, calls) = found
    assert len({call.image_sha256 for call in calls}) == 24
    splits = sum(
        len({text for call in calls if call.image_sha256 == sha for text in call.expressions}) > 25
        for sha in {call.image_sha256 for call in calls}
    )
    assert len(calls) == 24 + splits
    assert all(len(call.expressions) <= 25 for call in calls)
    assert shared == alone


def test_a_shared_reply_of_no_use_is_asked_for_each_sample_alone(tmp_path: Path) -> None:
    rows = coco24_rows(10)
    # the captions of a picture together stand in one text, on lines of their own
    spoiled = Faults((Rule(Fault.MALFORMED, step="1", captions=("\n",)),))
    with running(SimulatedEndpoint("vllm", faults=spoiled)) as endpoint:
        project = make_project(tmp_path, endpoint_settings(endpoint))
        project.write_input(rows)
        ended = generate(project, SETTINGS, ON)
        assert ended.code == 0, ended.output
        assert endpoint.recorder.by_fault["malformed"] > 0
    assert len(project.lines()) == 10

"""One call for both steps: the same records, no second call, and nothing reused or redone that should not be."""

import json
from pathlib import Path
from typing import Any

import pytest

from grounding_assets.core.annotation.reparse import keep_reparsed, reparse
from grounding_assets.core.dataset.rollup import write_outputs
from grounding_assets.core.errors import InputError, SpecError
from grounding_assets.core.spec.loading import validate_spec
from resources.credentials import Credentials
from resources.dataset import DataSet
from resources.vlm.resource import check_teacher
from tests.batch.runs import batch_spec, run, run_to_the_end
from tests.core.workspaces import json_lines, write_input
from tests.corpus import CORPUS
from tests.doors.project import coco24_rows
from tests.endpoints.batching import BatchPlan
from tests.endpoints.faults import Fault, Faults, Rule
from tests.endpoints.server import SimulatedEndpoint, running
from tests.formats import check_results

ROOT = CORPUS / "coco24"
JOINT = {"joint": True}


def spec_of(folder: Path, endpoint: SimulatedEndpoint, **options: Any) -> Any:
    return batch_spec(folder, endpoint, image_root=ROOT, **{"mode": "off", "workflow": JOINT, **options})


def records(folder: Path, name: str = "results") -> list[dict[str, Any]]:
    rows = json_lines(folder / name / "annotations.jsonl")
    return [{key: value for key, value in row.items() if key != "provenance"} for row in rows]


def made(folder: Path) -> list[dict[str, Any]]:
    return [row["provenance"] for row in json_lines(folder / "results/annotations.jsonl")]


def steps_asked(endpoint: SimulatedEndpoint, since: int = 0) -> dict[str, int]:
    steps = [request.step for request in endpoint.requests[since:]]
    return {step: steps.count(step) for step in sorted(set(steps))}


@pytest.mark.parametrize("kind", ["vllm", "gemini"])
def test_120_samples_take_120_calls_and_give_the_records_of_two_calls_each(tmp_path: Path, kind: Any) -> None:
    write_input(tmp_path / "input.jsonl", coco24_rows())
    with running(SimulatedEndpoint(kind)) as endpoint:
        run(spec_of(tmp_path, endpoint, workflow={}, results="two"), endpoint)
        before = endpoint.recorder.total
        spec = spec_of(tmp_path, endpoint, workflow={**JOINT, "max_calls": 120})
        assert not run(spec, endpoint).pending
        assert steps_asked(endpoint, before) == {"01": 120}
        again = list(
            reparse(DataSet(spec, Credentials(openai=endpoint.key, gemini=endpoint.key)).workspace())
        )
    assert check_results(tmp_path / "results", tmp_path / "input.jsonl").annotated == 120
    assert records(tmp_path) == records(tmp_path, "two")
    assert all(step["joint"] for sample in made(tmp_path) for step in sample.values())
    assert [sum(sample[step]["calls"] for sample in made(tmp_path)) for step in ("step_0", "step_1")] == [
        120,
        0,
    ]
    assert not again, "the stored replies are read as they were"


@pytest.mark.parametrize(
    "fault",
    [Fault.MALFORMED, Fault.TRUNCATED, Fault.OUT_OF_RANGE, Fault.REFUSED],
    ids=lambda fault: fault.value,
)
def test_a_joint_reply_of_no_use_is_split_into_two_calls(tmp_path: Path, fault: Fault) -> None:
    write_input(tmp_path / "input.jsonl", coco24_rows(15))
    with running(SimulatedEndpoint("vllm")) as endpoint:
        run(spec_of(tmp_path, endpoint, workflow={}, results="two"), endpoint)
        before = endpoint.recorder.total
        endpoint.faults = Faults((Rule(fault, step="01"),))
        assert not run(spec_of(tmp_path, endpoint), endpoint).failed
        asked = steps_asked(endpoint, before)
    written = records(tmp_path)
    assert written == records(tmp_path, "two")
    # without a box none can be out of range
    spoiled = [
        any(one["instances"] for one in row["expressions"]) or fault is not Fault.OUT_OF_RANGE
        for row in written
    ]
    assert any(spoiled) and asked["01"] == 15 and asked["0"] == sum(spoiled)
    for is_split, sample in zip(spoiled, made(tmp_path), strict=True):
        assert ("joint_split" in sample["step_0"]) == is_split
        assert ("joint" in sample["step_0"]) == ("joint" in sample["step_1"]) == (not is_split)
        assert sample["step_0"]["calls"] == 1 + is_split


def test_useless_joint_calls_are_told_of_once(tmp_path: Path) -> None:
    write_input(tmp_path / "input.jsonl", coco24_rows(40))
    with running(SimulatedEndpoint("vllm", faults=Faults((Rule(Fault.MALFORMED, step="01"),)))) as endpoint:
        told: list[str] = []
        run(spec_of(tmp_path, endpoint), endpoint, told)
    assert len([text for text in told if "workflow.joint=false" in text]) == 1


def test_what_a_kill_left_undone_is_read_from_the_reply_that_was_paid_for(tmp_path: Path) -> None:
    write_input(tmp_path / "input.jsonl", coco24_rows(10))
    with running(SimulatedEndpoint("vllm")) as endpoint:
        run(spec_of(tmp_path, endpoint), endpoint)
        whole, calls = records(tmp_path), endpoint.recorder.total
        lose_groundings(tmp_path)
        assert not run(spec_of(tmp_path, endpoint), endpoint).pending
        assert endpoint.recorder.total == calls and records(tmp_path) == whole
        # boxes of a joint reply are not taken once the spec asks otherwise
        lose_groundings(tmp_path)
        assert not run(spec_of(tmp_path, endpoint, workflow={}), endpoint).pending
        assert set(steps_asked(endpoint, calls)) == {"1"}
    assert all("joint" not in sample["step_1"] for sample in made(tmp_path))


def lose_groundings(folder: Path) -> None:
    for file in (folder / "results/step_1_grounding/.ckpt").glob("*.json"):
        file.unlink()


def test_an_edited_caption_is_grounded_by_a_call_of_its_own(tmp_path: Path) -> None:
    write_input(tmp_path / "input.jsonl", coco24_rows(10))
    extracted = tmp_path / "results/step_0_expression_extraction/annotations.jsonl"
    with running(SimulatedEndpoint("vllm")) as endpoint:
        run(spec_of(tmp_path, endpoint), endpoint)
        rows, calls = json_lines(extracted), endpoint.recorder.total
        edited = next(row for row in rows if row["expressions"])
        edited["expressions"] = edited["expressions"][:1]
        edited["cleaned_caption"] += " Nearby."
        write_input(extracted, rows)
        assert not run(spec_of(tmp_path, endpoint), endpoint).pending
        assert steps_asked(endpoint, calls) == {"1": 1}


def test_stored_joint_replies_are_read_again(tmp_path: Path) -> None:
    write_input(tmp_path / "input.jsonl", coco24_rows(15))
    with running(SimulatedEndpoint("vllm")) as endpoint:
        spec = spec_of(tmp_path, endpoint)
        run(spec, endpoint)
        whole = records(tmp_path)
    file = next(
        file
        for file in sorted((tmp_path / "results/step_1_grounding/.ckpt").glob("*.json"))
        if json.loads(file.read_bytes())["record"]["expressions"]
    )
    tree = json.loads(file.read_bytes())
    tree["record"]["expressions"][0].update(instances=[], grounding_status="none_seen")
    file.write_text(json.dumps(tree))
    workspace = DataSet(spec, Credentials(openai=endpoint.key)).workspace()
    found = list(reparse(workspace))
    assert [one.sample_id for one in found] == [file.stem] and "boxes" in found[0].what
    assert keep_reparsed(workspace, found) == 1
    write_outputs(workspace, spec.workflow.run_steps)
    assert records(tmp_path) == whole


def test_switching_keeps_results_and_an_order_redoes_them(tmp_path: Path) -> None:
    write_input(tmp_path / "input.jsonl", coco24_rows(5))
    with running(SimulatedEndpoint("vllm")) as endpoint:
        two, joint = spec_of(tmp_path, endpoint, workflow={}), spec_of(tmp_path, endpoint)
        run(two, endpoint)
        calls = endpoint.recorder.total
        run(joint, endpoint)
        assert endpoint.recorder.total == calls
        workspace = DataSet(joint, Credentials(openai=endpoint.key)).workspace()
        otherwise = [
            workspace.made_with_other_settings(workspace.samples.ids, step, workspace.settings[step])
            for step in joint.workflow.run_steps
        ]
        assert otherwise == [5, 5]
        run(spec_of(tmp_path, endpoint, workflow={**JOINT, "force_reprocess": True}), endpoint)
        assert steps_asked(endpoint, calls) == {"01": 5}
        calls = endpoint.recorder.total
        # step 1 alone is asked anew, though the joint reply lies there
        run(
            spec_of(tmp_path, endpoint, workflow={**JOINT, "force_reprocess": True, "steps": ["1"]}), endpoint
        )
        assert set(steps_asked(endpoint, calls)) == {"1"}


def test_joint_requests_go_into_jobs_as_well(tmp_path: Path) -> None:
    write_input(tmp_path / "input.jsonl", coco24_rows(20))
    with running(SimulatedEndpoint("vllm", batch=BatchPlan())) as endpoint:
        run(spec_of(tmp_path, endpoint, workflow={}, results="two"), endpoint)
        before = endpoint.recorder.total
        outcomes = run_to_the_end(spec_of(tmp_path, endpoint, mode="on"), endpoint)
        assert [outcome.pending for outcome in outcomes] == [20, 0]
        assert steps_asked(endpoint, before) == {"01": 20}
    assert records(tmp_path) == records(tmp_path, "two")


@pytest.mark.parametrize(
    ("vlm", "workflow", "said"),
    [
        ({"backend": "local"}, {}, "embedded teacher"),
        ({"openai": {"model_name": "OpenGVLab/InternVL3-8B", "base_url": "http://h/v1"}}, {}, "internvl"),
        ({}, {"share_pictures": "on"}, "share_pictures"),
    ],
    ids=["no model", "a form without a caption", "shared pictures"],
)
def test_where_it_cannot_be_it_is_refused_in_a_sentence(vlm: Any, workflow: Any, said: str) -> None:
    tree = {
        "results_dir": "r",
        "image_grounding": {"vlm": {"backend": "openai", **vlm}, "workflow": {**JOINT, **workflow}},
    }
    with pytest.raises((SpecError, InputError), match=said):
        check_teacher(validate_spec(tree, where="the test"), Credentials())

"""Gates: a full run stops, with the numbers, where the results so far are not good enough."""

import json
from pathlib import Path

import pytest

from grounding_assets.core.budget.gates import GateClosed, check_gates
from grounding_assets.core.errors import SpecError
from grounding_assets.core.evaluation.gold.gold_record import gold_expression, gold_record
from grounding_assets.core.spec.loading import validate_spec
from resources.credentials import Credentials
from resources.dataset import DataSet
from tests.corpus import needs_corpus
from tests.doors.project import coco24_rows, endpoint_settings, make_project
from tests.endpoints.faults import Fault, Faults, Rule
from tests.endpoints.model import Behaviour
from tests.endpoints.server import SimulatedEndpoint, running
from tests.money.capped_runs import capped_spec, prepare_set, run


def gates(folder: Path, endpoint: SimulatedEndpoint, **limits: object) -> None:
    spec = capped_spec(folder, endpoint, 1, {})
    tree = spec.model_dump()
    tree["image_grounding"]["workflow"].update(limits)
    tree["image_grounding"]["data"]["gold_jsonl"] = str(folder / "gold.jsonl")
    spec = validate_spec(tree, where="the test")
    dataset = DataSet(spec, Credentials())
    check_gates(spec, dataset.workspace(), lambda: dataset.gold_file)


def write_gold(folder: Path, right: int, wrong: int) -> None:
    """Gold of one box a sample: the one that the endpoint answers with, and then others."""
    rows = [json.loads(line) for line in (folder / "input.jsonl").read_text().splitlines()]
    boxes = [[(16, 12, 48, 36)]] * right + [[(0, 0, 8, 8)]] * wrong
    with (folder / "gold.jsonl").open("w") as stream:
        for row, box in zip(rows, boxes, strict=False):
            end = len(f"a cat {rows.index(row)}")
            expression = gold_expression(row["caption"], (0, end), box)
            record = gold_record(row["image_path"], row["caption"], (64, 48), [expression], "made")
            stream.write(json.dumps(record) + "\n")


def test_each_gate_tells_its_numbers(tmp_path: Path):
    prepare_set(tmp_path, 10)
    refused = Faults((Rule(Fault.REFUSED, captions=("cat 8 ", "cat 9 ")),))
    with running(SimulatedEndpoint("vllm", "qwen3_vl", cheap=True, faults=refused)) as endpoint:
        gates(tmp_path, endpoint, max_failed=0.0, max_unboxed=0.0)  # nothing is there to judge yet
        run(capped_spec(tmp_path, endpoint, 2, {}), endpoint)
        write_gold(tmp_path, right=3, wrong=5)
        gates(tmp_path, endpoint, max_failed=0.2, max_unboxed=0.0, min_recall=0.37)
        with pytest.raises(GateClosed, match=r"20\.0 % of 10 samples failed, workflow\.max_failed=0\.19"):
            gates(tmp_path, endpoint, max_failed=0.19)
        with pytest.raises(GateClosed, match=r"37\.5 % of 8 gold boxes found, workflow\.min_recall=0\.38"):
            gates(tmp_path, endpoint, min_recall=0.38)
        with pytest.raises(GateClosed, match=r"min_recall=0\.9.*max_failed=0\.1"):
            gates(tmp_path, endpoint, max_failed=0.1, min_recall=0.9)


@pytest.mark.parametrize(
    ("right", "other", "told"),
    [
        (0, {"image_path": "x.png"}, "No result is about a gold sample"),
        (0, {"width": 640, "height": 480}, "640 x 480 pixels in gold and 64 x 48 in the results"),
        # what is left over is right, and says nothing about the rest
        (1, {"width": 640, "height": 480}, r"1 of 2 gold samples .* another size.*1\.png.*gold_jsonl"),
    ],
    ids=["of no result", "all of another size", "some of another size"],
)
def test_gold_that_cannot_be_held_against_results_does_not_pass(tmp_path: Path, right, other, told):
    prepare_set(tmp_path, 2)
    with running(SimulatedEndpoint("vllm", "qwen3_vl", cheap=True)) as endpoint:
        run(capped_spec(tmp_path, endpoint, 2, {}), endpoint)
        write_gold(tmp_path, right=right, wrong=1)
        file = tmp_path / "gold.jsonl"
        *kept, last = file.read_text().splitlines()
        file.write_text("\n".join([*kept, json.dumps(json.loads(last) | other)]))
        with pytest.raises(GateClosed, match=f"min_recall cannot be judged: .*{told}"):
            gates(tmp_path, endpoint, min_recall=0.1)


def test_min_recall_without_gold_is_refused(tmp_path: Path):
    tree = {"results_dir": str(tmp_path), "image_grounding": {"workflow": {"min_recall": 0.5}}}
    with pytest.raises(SpecError, match="gold_jsonl"):
        validate_spec(tree, where="the test")


@needs_corpus("coco24")
def test_a_pilot_ends_with_the_gate_and_the_full_run_does_not_begin(tmp_path: Path):
    blind = Behaviour(drop=1.0)
    with running(SimulatedEndpoint("vllm", "qwen3_vl", behaviour=blind)) as endpoint:
        project = make_project(tmp_path, endpoint_settings(endpoint))
        project.write_input(coco24_rows(12))
        gate = "image_grounding.workflow.max_unboxed=0.5"
        # the calibration cards are dropped as well, so the measurement says nothing
        pilot = project.generate(
            gate, "image_grounding.workflow.limit=4", "image_grounding.vlm.measure=false"
        )
        assert pilot.returncode == 1, pilot.stdout + pilot.stderr
        assert "100.0 % of" in pilot.stderr and "max_unboxed=0.5" in pilot.stderr
        before = len(endpoint.requests)
        full = project.generate(gate, "image_grounding.vlm.measure=false")
        assert full.returncode == 1
        assert "max_unboxed=0.5" in full.stderr and "Traceback" not in full.stderr
        assert len(endpoint.requests) == before
        assert len(project.lines()) == 4
        for written in (project.results / "annotations.jsonl", project.results / "failures.jsonl"):
            written.unlink()
        assert project.generate(gate, "image_grounding.vlm.measure=false").returncode == 1
        assert len(project.lines()) == 4 and project.lines("failures.jsonl") == []

"""Batches by file: a cluster without an endpoint annotates, by `vllm run-batch`."""

from pathlib import Path

import pytest

from grounding_assets.core.errors import SpecError
from tests.batch.run_batch import run_batch
from tests.batch.runs import batch_spec, run
from tests.core.workspaces import json_lines, write_input
from tests.corpus import CORPUS
from tests.doors.project import coco24_rows, endpoint_settings, make_project
from tests.endpoints.server import SimulatedEndpoint, running
from tests.endurance.runs import generate

SAMPLES = 10


def request_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("results/batch/*/requests.jsonl"))


def test_a_set_by_request_and_result_files(tmp_path: Path) -> None:
    write_input(tmp_path / "input.jsonl", coco24_rows(SAMPLES))
    root = CORPUS / "coco24"
    with running(SimulatedEndpoint("vllm")) as cluster:
        by_calls = batch_spec(tmp_path, cluster, image_root=root, mode="off", results="calls")
        assert not run(by_calls, cluster).pending
        spec = batch_spec(tmp_path, cluster, image_root=root, mode="file", batch={"max_requests": 6})
        run(spec, cluster)
        first = request_files(tmp_path)
        assert len(first) == 2
        done = run_batch(first[0], first[0].with_name("results.jsonl"), cluster.url, most=3)
        outcome = run(spec, cluster)
        assert outcome.pending == SAMPLES, "a file may still be on its way here"
        assert done == 3 and request_files(tmp_path) == first
        while files := request_files(tmp_path):
            for file in files:
                run_batch(file, file.with_name("results.jsonl"), cluster.url)
            outcome = run(spec, cluster)
        assert not outcome.pending and not outcome.failed
    plain = [
        [
            {k: v for k, v in row.items() if k != "provenance"}
            for row in json_lines(tmp_path / results / "annotations.jsonl")
        ]
        for results in ("calls", "results")
    ]
    assert plain[0] == plain[1] and len(plain[0]) == SAMPLES


def test_a_model_of_no_known_family_needs_an_endpoint_to_be_measured(tmp_path: Path) -> None:
    write_input(tmp_path / "input.jsonl", coco24_rows(1))
    endpoint = SimulatedEndpoint("vllm", model="nobody/knows-this")
    spec = batch_spec(tmp_path, endpoint, image_root=CORPUS / "coco24", mode="file")
    with pytest.raises(SpecError, match=r"set image_grounding\.vlm\.family"):
        run(spec, endpoint)


@pytest.mark.parametrize(("family", "doubtful"), [("qwen2_5_vl", True), ("qwen3_vl", False)])
def test_pixels_of_a_server_that_nobody_measured_are_in_doubt(
    tmp_path: Path, family: str, doubtful: bool
) -> None:
    with running(SimulatedEndpoint("vllm", family)) as endpoint:
        project = make_project(tmp_path, endpoint_settings(endpoint))
        project.write_input(coco24_rows(2))
        ended = generate(project, "image_grounding.vlm.batch.mode=file")
        assert ended.code == 3, ended.output
        assert ("Warning:     Not measured" in ended.stdout) == doubtful
        assert not endpoint.recorder.total

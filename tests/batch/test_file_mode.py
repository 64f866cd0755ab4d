"""Batches by file: a cluster without an endpoint annotates, by `vllm run-batch`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from grounding_assets.core.errors import SpecError
from grounding_assets.core.spec.settings import Spec
from resources.vlm.batch.cards import CARDS
from tests.batch.run_batch import run_batch
from tests.batch.runs import batch_spec, job_files, run
from tests.core.workspaces import json_lines, write_input
from tests.corpus import CORPUS
from tests.doors.project import coco24_rows, endpoint_settings, make_project
from tests.endpoints.disobedient import MODELS
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


@dataclass
class Cluster:
    """A cluster that answers request files: what a set came to, run after run."""

    folder: Path
    endpoint: SimulatedEndpoint

    def __post_init__(self) -> None:
        write_input(self.folder / "input.jsonl", coco24_rows(SAMPLES))

    def spec(self, mode: str = "file", **options: Any) -> Spec:
        return batch_spec(
            self.folder, self.endpoint, image_root=CORPUS / "coco24", mode=mode, measure=True, **options
        )

    @property
    def under_way(self) -> list[Path]:
        """Request files of jobs that wait for their results."""
        files = request_files(self.folder)
        return [f for f in files if json.loads(f.with_name("job.json").read_bytes())["phase"] == "submitted"]

    def answer(self) -> None:
        for file in self.under_way:
            run_batch(file, file.with_name("results.jsonl"), self.endpoint.url)

    def asked(self) -> list[int]:
        """How many requests under way are about cards and about samples."""
        keys = [row for file in self.under_way for row in json_lines(file.with_name("keys.jsonl"))]
        cards = sum(row["sample_id"] == CARDS for row in keys)
        return [cards, len(keys) - cards]

    def boxes(self, results: str = "results") -> list[Any]:
        return [
            [one["instances"] for one in row["expressions"]]
            for row in json_lines(self.folder / results / "annotations.jsonl")
        ]


@pytest.mark.parametrize(
    ("model", "rounds"),
    [
        # a grid needs two cards, pixels a small one besides, and a server that makes pictures smaller another round
        ("qwen3-vl", [[2, 0], [0, SAMPLES]]),
        ("qwen2_5-vl", [[3, 0], [0, SAMPLES]]),
        ("nobody@qwen28:802816", [[2, 0], [2, 0], [1, 0], [0, SAMPLES]]),
        ("qwen2_5-vl@qwen28:200704", [[3, 0], [2, 0], [0, SAMPLES]]),
    ],
)
def test_cards_are_the_first_job_and_boxes_are_those_of_a_measured_endpoint(
    tmp_path: Path, model: str, rounds: list[list[int]]
) -> None:
    with running(SimulatedEndpoint("vllm", **MODELS[model].endpoint_options())) as endpoint:
        cluster = Cluster(tmp_path, endpoint)
        assert not run(cluster.spec("off", results="calls"), endpoint).pending
        told: list[str] = []
        seen = []
        outcome = run(cluster.spec(), endpoint, told)
        while cluster.under_way:
            seen.append(cluster.asked())
            assert run(cluster.spec(), endpoint).pending
            assert cluster.asked() == seen[-1], "nothing is asked twice"
            cluster.answer()
            outcome = run(cluster.spec(), endpoint, told)
        assert not outcome.pending and not outcome.failed
    assert seen[: len(rounds)] == rounds
    assert cluster.boxes() == cluster.boxes("calls") and any(any(one) for one in cluster.boxes())
    assert {row["phase"] for row in job_files(tmp_path)} == {"finished"}


def test_boxes_that_would_be_read_wrong_stop_the_run_before_a_sample_is_asked(tmp_path: Path) -> None:
    with running(SimulatedEndpoint("vllm", "qwen2_5_vl", model="Qwen/Qwen3-VL-8B-Instruct")) as endpoint:
        cluster = Cluster(tmp_path, endpoint)
        outcome = run(cluster.spec(), endpoint)
        while cluster.under_way:
            assert cluster.asked()[1] == 0
            cluster.answer()
            outcome = run(cluster.spec(), endpoint)
        for stopped in (outcome.stopped_by, run(cluster.spec(), endpoint).stopped_by):
            assert stopped is not None and "every box would be wrong" in str(stopped)
        assert not request_files(tmp_path)


def test_without_cards_a_model_of_no_known_family_is_refused(tmp_path: Path) -> None:
    write_input(tmp_path / "input.jsonl", coco24_rows(1))
    endpoint = SimulatedEndpoint("vllm", model="nobody/knows-this")
    spec = batch_spec(tmp_path, endpoint, image_root=CORPUS / "coco24", mode="file")
    with pytest.raises(SpecError, match=r"set image_grounding\.vlm\.family"):
        run(spec, endpoint)


def test_a_run_ends_with_3_while_cards_wait(tmp_path: Path) -> None:
    with running(SimulatedEndpoint("vllm", "qwen2_5_vl")) as endpoint:
        project = make_project(tmp_path, endpoint_settings(endpoint))
        project.write_input(coco24_rows(2))
        ended = generate(project, "image_grounding.vlm.batch.mode=file")
        assert ended.code == 3, ended.output
        assert "2 are still pending, 2 of them in batch jobs" in ended.stdout
        assert "calibration cards, before the first sample is asked about" in ended.stdout
        assert not endpoint.recorder.total

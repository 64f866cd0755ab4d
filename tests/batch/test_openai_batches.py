"""A life by batch at endpoints of both forms: the same records, each request paid for once."""

from pathlib import Path
from typing import Any

import pytest

from tests.batch.runs import batch_spec, jobs_ended, run, run_to_the_end, spent
from tests.core.workspaces import json_lines, write_input
from tests.corpus import CORPUS
from tests.doors.project import coco24_rows
from tests.endpoints.batching import BatchPlan
from tests.endpoints.server import SimulatedEndpoint, running


def records(results: Path) -> list[dict[str, Any]]:
    """The written records without their provenance."""
    return [
        {k: v for k, v in row.items() if k != "provenance"}
        for row in json_lines(results / "annotations.jsonl")
    ]


@pytest.mark.parametrize("kind", ["vllm", "gemini"])
def test_records_of_120_samples_equal_those_of_ordinary_calls(tmp_path: Path, kind: Any) -> None:
    write_input(tmp_path / "input.jsonl", coco24_rows())
    root = CORPUS / "coco24"
    with running(SimulatedEndpoint(kind, batch=BatchPlan(twice=3, foreign=2))) as endpoint:
        assert endpoint.batch is not None
        by_calls = run(batch_spec(tmp_path, endpoint, image_root=root, mode="off", results="calls"), endpoint)
        calls = endpoint.recorder.total
        spec = batch_spec(tmp_path, endpoint, image_root=root, batch={"max_requests": 70})
        outcomes = run_to_the_end(spec, endpoint)
        grounded = calls - 120
        # captions without an expression need no second step
        assert [outcome.pending for outcome in outcomes] == [120, grounded, 0]
        assert not any(outcome.failed for outcome in (by_calls, *outcomes))
        assert set(endpoint.batch.batches.run.values()) == {1}, "each request is paid for once"
        assert endpoint.recorder.total == 2 * calls, "as many as by ordinary calls"
        asked = [request.parameters for request in endpoint.requests]
        assert sorted(map(repr, asked[:calls])) == sorted(map(repr, asked[calls:])), "the same requests"
        # 70 at most in a job
        assert [job.total for job in endpoint.batch.batches.jobs.values()] == [70, 50, 70, grounded - 70]
    assert records(tmp_path / "results") == records(tmp_path / "calls")
    assert len(records(tmp_path / "results")) == 120
    folders = sorted((tmp_path / "results/batch").glob("*/*"))
    assert {file.name for file in folders} == {"job.json"}, "what is used up is cleared away"


def test_results_are_redone_by_batch_once_and_stand_until_then(tmp_path: Path) -> None:
    write_input(tmp_path / "input.jsonl", coco24_rows(6))
    root = CORPUS / "coco24"
    with running(SimulatedEndpoint("vllm", batch=BatchPlan())) as endpoint:
        assert endpoint.batch is not None
        spec = batch_spec(tmp_path, endpoint, image_root=root)
        assert run_to_the_end(spec, endpoint)[-1].pending == 0
        before = endpoint.recorder.total
        forced = batch_spec(tmp_path, endpoint, image_root=root, workflow={"force_reprocess": True})
        run(forced, endpoint)
        assert len(records(tmp_path / "results")) == 6
        jobs_ended(endpoint)
        assert run_to_the_end(spec, endpoint)[-1].pending == 0
        assert endpoint.recorder.total == 2 * before
        assert set(endpoint.batch.batches.run.values()) == {1}
    assert len(records(tmp_path / "results")) == 6


def test_the_account_holds_a_job_at_its_projection_until_it_is_collected(tmp_path: Path) -> None:
    write_input(tmp_path / "input.jsonl", coco24_rows(10))
    with running(SimulatedEndpoint("vllm", batch=BatchPlan())) as endpoint:
        spec = batch_spec(tmp_path, endpoint, image_root=CORPUS / "coco24")
        run(spec, endpoint)
        jobs_ended(endpoint)
        before = spent(tmp_path)
        run_to_the_end(spec, endpoint)
        after = spent(tmp_path)
        calls = endpoint.recorder.total
    assert before["calls"] == 10
    assert before["tokens_out"] == 10 * spec.vlm.openai.max_tokens
    assert after["calls"] == calls > 10
    assert after["projected"] == 0 and after["tokens_out"] < before["tokens_out"]

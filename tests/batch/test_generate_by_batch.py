"""`auto_label generate` by batch: what it says, how it ends, what Dagster shows."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from tests.batch.runs import jobs_ended
from tests.doors.project import Project, coco24_rows, endpoint_settings, make_project
from tests.endpoints.batching import BatchPlan
from tests.endpoints.server import SimulatedEndpoint, running
from tests.endurance.runs import Ended, Run, generate, generating

ON = "image_grounding.vlm.batch.mode=on"


def test_a_set_in_three_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with running(SimulatedEndpoint("vllm", batch=BatchPlan())) as endpoint:
        assert endpoint.batch is not None
        project = make_project(tmp_path, endpoint_settings(endpoint))
        project.write_input(coco24_rows(10))
        first = generate(project, ON)
        assert first.code == 3, first.output
        assert "10 are still pending, 10 of them in batch jobs" in first.stdout
        assert "10 requests were submitted in 1 jobs" in first.stdout
        assert shown_jobs() == {"jobs": 1, "jobs_under_way": 1, "requests_under_way": 10}
        jobs_ended(endpoint)
        assert project.status("expressions")["missing"] == 10
        by_calls = generate(project)
        assert "10 samples wait for batch jobs" in by_calls.output, "nothing is paid for twice"
        assert by_calls.code == 1
        second = generate(project, ON)
        assert second.code == 3, second.output
        assert "is completed: 10 of 10 requests are answered" in second.output
        assert project.status("expressions")["materialized"] == 10
        jobs_ended(endpoint)
        third = generate(project, ON)
        assert third.code == 0, third.output
        assert project.status("groundings")["materialized"] == len(project.lines()) == 10
        assert shown_jobs() == {"jobs": 2, "jobs_under_way": 0, "requests_under_way": 0}
        assert generate(project, ON).code == 0
        assert set(endpoint.batch.batches.run.values()) == {1}


def shown_jobs() -> dict[str, Any]:
    """What the last event of the asset `batch_jobs` says."""
    with dg.DagsterInstance.get() as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(["tested", "batch_jobs"]))
    assert event is not None and event.asset_materialization is not None
    metadata = event.asset_materialization.metadata
    return {name: metadata[name].value for name in ("jobs", "jobs_under_way", "requests_under_way")}


def test_a_batch_and_an_ordinary_run_side_by_side_pay_for_nothing_twice_and_keep_a_cap(
    tmp_path: Path,
) -> None:
    cap = 60
    with running(SimulatedEndpoint("vllm", batch=BatchPlan())) as endpoint:
        assert endpoint.batch is not None
        project = make_project(tmp_path, endpoint_settings(endpoint)[:-1] + ', "measure": false}')
        project.write_input(coco24_rows(40))
        capped = f"workflow.max_calls={cap}"
        for name in ("1", "2"):
            with (
                generating(project, ON, capped, name=f"batch{name}") as by_batch,
                generating(project, capped, name=f"calls{name}") as by_calls,
            ):
                ended = by_batch.ended(), by_calls.ended()
            assert {one.code for one in ended} <= {0, 1, 3}, ended
            jobs_ended(endpoint)
        assert endpoint.recorder.total <= cap
        last = generate(project, ON, "workflow.max_calls=0")
        while last.code == 3:
            jobs_ended(endpoint)
            last = generate(project, ON, "workflow.max_calls=0")
        assert last.code == 0, last.output
        asked = [(request.step, request.caption) for request in endpoint.requests]
        assert len(asked) == len(set(asked)), "nothing is asked both ways"
    assert len(project.lines()) == 40


def test_waiting_takes_one_command(tmp_path: Path) -> None:
    with running(SimulatedEndpoint("vllm", batch=BatchPlan(delay_s=0.5))) as endpoint:
        project = make_project(tmp_path, endpoint_settings(endpoint))
        project.write_input(coco24_rows(5))
        ended = generate(project, ON, "image_grounding.vlm.batch.look_every=1", "--wait")
        assert ended.code == 0, ended.output
        assert ended.stderr.count("requests are answered") == 2, "a job for each step"
    assert len(project.lines()) == 5


def test_jobs_are_listed_cancelled_and_collected(tmp_path: Path) -> None:
    with running(SimulatedEndpoint("vllm", batch=BatchPlan(ends="cancelled", done_share=0))) as endpoint:
        assert endpoint.batch is not None
        project = make_project(tmp_path, endpoint_settings(endpoint))
        project.write_input(coco24_rows(5))
        assert generate(project, ON).code == 3
        assert "submitted" in batch(project, "list").stdout
        assert "the endpoint was told" in batch(project, "cancel", "id=all").stdout
        jobs_ended(endpoint)
        assert batch(project, "collect", ON).code == 1, "what was cancelled stays pending"
        listed = batch(project, "list").stdout
        assert "cancelled" in listed and "collected" in listed
        assert len(endpoint.batch.batches.jobs) == 1, "collecting submits nothing"
        assert endpoint.batch.batches.run.total() == 0


def batch(project: Project, *words: str) -> Ended:
    action, *others = words
    with Run(project, "batch", action, "-e", "spec.yaml", *others) as run:
        return run.ended()

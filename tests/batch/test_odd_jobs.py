"""Jobs that expire, are cancelled, fail or vanish, and result files that are not as they should be."""

import json
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from grounding_assets.cli.batch import batch, wait_for_jobs
from grounding_assets.core.budget.call_file import read_ledger
from grounding_assets.core.budget.cost import Usage, money
from grounding_assets.core.budget.prices import Prices
from grounding_assets.core.errors import RunStopped
from tests.batch.runs import batch_spec, job_files, jobs_ended, run, run_to_the_end, spent
from tests.core.workspaces import json_lines, write_input
from tests.corpus import CORPUS
from tests.doors.project import coco24_rows
from tests.endpoints.batching import BatchPlan
from tests.endpoints.faults import Fault, Faults, Rule
from tests.endpoints.server import SimulatedEndpoint, running
from tests.money.capped_runs import Outcome, booked_by_model

SAMPLES = 10


def endpoint_with(plan: BatchPlan, kind: Any = "vllm", faults: Faults | None = None) -> SimulatedEndpoint:
    return SimulatedEndpoint(kind, batch=plan, faults=faults)


def prepared(folder: Path, endpoint: SimulatedEndpoint, **options: Any) -> Any:
    write_input(folder / "input.jsonl", coco24_rows(SAMPLES))
    return batch_spec(folder, endpoint, image_root=CORPUS / "coco24", **options)


@pytest.mark.parametrize("kind", ["vllm", "gemini"])
@pytest.mark.parametrize(
    ("plan", "rest", "paid_again"),
    [
        ({"ends": "expired", "done_share": 0.5}, "calls", 0),
        ({"ends": "cancelled", "done_share": 0.3}, "calls", 0),
        ({"ends": "expired", "done_share": 0.0}, "calls", 0),
        ({"failing": 2}, "calls", 0),
        ({"failing": 2}, "batch", 0),
        # nobody can tell whether these were run, so they are asked again
        ({"missing": 2}, "calls", 2),
        ({"missing": 2}, "batch", 2),
        ({"twice": 4, "foreign": 3}, "calls", 0),
    ],
    ids=str,
)
def test_the_first_job_is_odd_and_the_set_comes_to_its_end(
    tmp_path: Path, kind: str, plan: Mapping[str, Any], rest: str, paid_again: int
) -> None:
    with running(endpoint_with(BatchPlan(**plan), kind)) as endpoint:
        assert endpoint.batch is not None
        spec = prepared(tmp_path, endpoint, batch={"rest": rest})
        run(spec, endpoint)
        jobs_ended(endpoint)
        endpoint.batch.batches.plan = BatchPlan()
        outcomes = run_to_the_end(spec, endpoint)
        assert outcomes[-1].pending == 0 and not any(outcome.failed for outcome in outcomes)
        asked = [(request.step, request.caption) for request in endpoint.requests]
        assert len(asked) - len(set(asked)) == paid_again, "whatever was run is not run again"
        assert set(endpoint.batch.batches.run.values()) <= {1, 2}
        account = spent(tmp_path)
    assert len(json_lines(tmp_path / "results/annotations.jsonl")) == SAMPLES
    assert account["projected"] == (paid_again if plan.get("missing") else 0)


def test_replies_of_no_use_are_asked_again_by_calls_or_in_the_next_job(tmp_path: Path) -> None:
    spoiled = Faults((Rule(Fault.MALFORMED, at_most=1, rate=0.4),), seed=3)
    for rest in ("calls", "batch"):
        folder = tmp_path / rest
        folder.mkdir()
        with running(endpoint_with(BatchPlan(), faults=spoiled)) as endpoint:
            assert endpoint.batch is not None
            outcomes = run_to_the_end(prepared(folder, endpoint, batch={"rest": rest}), endpoint)
            assert outcomes[-1].pending == 0 and not any(outcome.failed for outcome in outcomes)
            by_batch = endpoint.batch.batches.run.total()
            assert (by_batch < endpoint.recorder.total) == (rest == "calls")
            assert endpoint.recorder.by_fault["malformed"] > 0


def test_what_fails_in_three_jobs_is_a_failure_with_its_reason_and_is_tried_anew(tmp_path: Path) -> None:
    with running(endpoint_with(BatchPlan(failing=SAMPLES))) as endpoint:
        assert endpoint.batch is not None
        spec = prepared(tmp_path, endpoint, batch={"rest": "batch"})
        outcomes = run_to_the_end(spec, endpoint, most_runs=4)
        assert len(outcomes[-1].failed) == SAMPLES
        failures = json_lines(tmp_path / "results/failures.jsonl")
        assert {row["reason"] for row in failures} == {"endpoint_error"}
        assert "in 3 batches" in failures[0]["message"]
        jobs_ended(endpoint)
        endpoint.batch.batches.plan = BatchPlan()
        assert run_to_the_end(spec, endpoint)[-1].pending == 0
    assert len(json_lines(tmp_path / "results/annotations.jsonl")) == SAMPLES


@pytest.mark.parametrize("plan", [{"forgets_jobs": True}, {"loses_files": True}], ids=str)
@pytest.mark.parametrize("kind", ["vllm", "gemini"])
def test_a_job_that_cannot_be_fetched_keeps_its_samples(
    tmp_path: Path, kind: str, plan: Mapping[str, Any]
) -> None:
    with running(endpoint_with(BatchPlan(**plan), kind)) as endpoint:
        assert endpoint.batch is not None
        spec, told = prepared(tmp_path, endpoint), list[str]()
        run(spec, endpoint)
        jobs_ended(endpoint)
        run(spec, endpoint, told)
        assert "The state of batch" in told[-1] and "batch cancel id=" in told[-1]
        assert len(endpoint.batch.batches.jobs) == 1, "nothing is submitted again"
        assert spent(tmp_path)["projected"] == SAMPLES
        endpoint.batch.batches.plan, told = BatchPlan(), []
        (job,) = endpoint.batch.batches.jobs.values()
        ended, job.status = job.status, "in_progress"
        run(spec, endpoint, told)
        assert not job_files(tmp_path)[0]["problem"] and "The state of batch" not in " ".join(told)
        job.status = ended
        assert run_to_the_end(spec, endpoint)[-1].pending == 0
        assert set(endpoint.batch.batches.run.values()) == {1}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", ["vllm", "gemini"])
def test_a_submission_that_breaks_off_is_looked_for_before_it_is_repeated(
    tmp_path: Path, kind: str, when: Any
) -> None:
    with running(endpoint_with(BatchPlan(create_breaks=when, breaks=1, page=1), kind)) as endpoint:
        assert endpoint.batch is not None
        outcomes = run_to_the_end(prepared(tmp_path, endpoint), endpoint)
        assert outcomes[-1].pending == 0
        assert set(endpoint.batch.batches.run.values()) == {1}
        marks = [tuple(job.mark.values()) for job in endpoint.batch.batches.jobs.values()]
        assert len(set(marks)) == len(marks) == 2


def test_a_job_that_fails_as_a_whole_ends_the_run_and_costs_nothing(tmp_path: Path) -> None:
    with running(endpoint_with(BatchPlan(ends="failed"))) as endpoint:
        assert endpoint.batch is not None
        spec = prepared(tmp_path, endpoint)
        run(spec, endpoint)
        jobs_ended(endpoint)
        stopped = run(spec, endpoint).stopped_by
        assert isinstance(stopped, RunStopped) and "invalid_json_line" in str(stopped)
        assert spent(tmp_path)["calls"] == 0
        endpoint.batch.batches.plan = BatchPlan()
        assert run_to_the_end(spec, endpoint)[-1].pending == 0


def test_replies_whose_tokens_nobody_reports_count_at_what_is_projected(tmp_path: Path) -> None:
    with running(endpoint_with(BatchPlan(), "tao")) as endpoint:
        assert run_to_the_end(prepared(tmp_path, endpoint), endpoint)[-1].pending == 0
    account = spent(tmp_path)
    assert account["projected"] == account["calls"] > SAMPLES
    assert account["tokens_in"] == sum(job["tokens_in"] for job in job_files(tmp_path))
    assert account["tokens_in"] > 100 * account["calls"] and account["tokens_out"] > account["calls"]


def test_what_exceeds_the_quota_of_waiting_tokens_is_held_back(tmp_path: Path) -> None:
    with running(endpoint_with(BatchPlan())) as endpoint:
        assert endpoint.batch is not None
        spec = prepared(tmp_path, endpoint, batch={"max_enqueued_tokens": 3000})
        outcomes = run_to_the_end(spec, endpoint, most_runs=40)
        assert outcomes[-1].pending == 0 and len(outcomes) > 4
        assert all(job["tokens_in"] <= 3000 for job in job_files(tmp_path))
        assert set(endpoint.batch.batches.run.values()) == {1}


def test_a_job_made_with_other_settings_is_not_read_with_these(tmp_path: Path) -> None:
    with running(endpoint_with(BatchPlan())) as endpoint:
        spec = prepared(tmp_path, endpoint)
        run(spec, endpoint)
        jobs_ended(endpoint)
        warmer = spec.model_copy(deep=True)
        object.__setattr__(warmer.vlm.openai, "temperature", 0.1)
        stopped = run(warmer, endpoint).stopped_by
        assert stopped is not None and "other settings" in str(stopped)
        assert run_to_the_end(spec, endpoint)[-1].pending == 0


def test_a_cap_submits_what_it_allows_and_holds_beside_ordinary_calls(tmp_path: Path) -> None:
    with running(endpoint_with(BatchPlan())) as endpoint:
        assert endpoint.batch is not None
        spec = prepared(tmp_path, endpoint, workflow={"max_calls": 7})
        stopped = run(spec, endpoint).stopped_by
        assert stopped is not None and "max_calls=7" in str(stopped)
        jobs_ended(endpoint)
        assert endpoint.recorder.total == 7
        by_calls = prepared(tmp_path, endpoint, mode="off", workflow={"max_calls": 7})
        assert run(by_calls, endpoint).stopped_by is not None
        assert endpoint.recorder.total == 7


def test_a_reply_to_a_call_is_not_lost_while_another_request_waits(tmp_path: Path) -> None:
    things = ", ".join(f"a thing number {letter}" for letter in "abcdefghijklmnopqrstuvwxyzABCDEFG")
    row = {**coco24_rows(1)[0], "caption": things}
    with running(endpoint_with(BatchPlan())) as endpoint:
        assert endpoint.batch is not None
        spec = prepared(tmp_path, endpoint)
        write_input(tmp_path / "input.jsonl", [row])
        run(spec, endpoint)
        jobs_ended(endpoint)
        # of the two requests of step 1 one is answered with nothing of use, and the other was never run
        endpoint.faults = Faults((Rule(Fault.MALFORMED, step="1"),))
        endpoint.batch.batches.plan = BatchPlan(ends="expired", done_share=0.5)
        run(spec, endpoint)
        jobs_ended(endpoint)
        endpoint.faults, endpoint.batch.batches.plan = Faults(), BatchPlan()
        assert run_to_the_end(spec, endpoint)[-1].pending == 0
        asked = [(r.step, r.expressions, r.parameters["temperature"]) for r in endpoint.requests]
    assert len(asked) == len(set(asked)) == 4, "step 0, its halves of step 1, and the first of them once more"


@pytest.mark.parametrize("kind", ["vllm", "gemini"])
def test_a_job_that_is_given_up_is_asked_again_and_counts_as_projected(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(endpoint_with(BatchPlan(forgets_jobs=True), kind)) as endpoint:
        assert endpoint.batch is not None
        for name in ("OPENAI_API_KEY", "GOOGLE_API_KEY"):
            monkeypatch.setenv(name, endpoint.key)
        spec = prepared(tmp_path, endpoint)
        file = tmp_path / "spec.yaml"
        file.write_text(json.dumps(spec.model_dump(mode="json")))
        run(spec, endpoint)
        jobs_ended(endpoint)
        job = job_files(tmp_path)[0]["id"]
        assert batch(str(file), [f"id={job}"], action="cancel") == 0
        assert f"{job}: " in (told := capsys.readouterr().out) and "Add give_up=true" in told
        assert run(spec, endpoint).pending == SAMPLES and len(endpoint.batch.batches.jobs) == 1
        assert batch(str(file), [f"id={job}", "give_up=true"], action="cancel") == 0
        assert "is given up" in capsys.readouterr().out
        endpoint.batch.batches.plan = BatchPlan()
        assert run_to_the_end(spec, endpoint)[-1].pending == 0
        assert {row["id"]: row["phase"] for row in job_files(tmp_path)}[job] == "given up"
        account = spent(tmp_path)
        assert account["projected"] == SAMPLES and account["calls"] == endpoint.recorder.total


def test_a_batch_and_ordinary_calls_side_by_side_keep_max_cost_but_for_what_is_in_flight(
    tmp_path: Path,
) -> None:
    cap, workers = 12.0, 4
    write_input(tmp_path / "input.jsonl", coco24_rows(60))
    with running(endpoint_with(BatchPlan())) as endpoint:
        specs = [
            batch_spec(
                tmp_path,
                endpoint,
                image_root=CORPUS / "coco24",
                mode=mode,
                workflow={"max_cost": cap, "max_workers": workers},
            )
            for mode in ("on", "off")
        ]
        outcomes: list[Outcome] = []
        for _ in range(3):
            with ThreadPoolExecutor() as side_by_side:
                outcomes += list(side_by_side.map(lambda spec: run(spec, endpoint), specs))
            jobs_ended(endpoint)
        run(specs[0], endpoint)
        requests = endpoint.recorder.total
    assert any("max_cost" in str(outcome.stopped_by) for outcome in outcomes)
    ledger, prices = read_ledger(tmp_path / "results", has_verifier=False), Prices.of(specs[0])
    total = ledger.spent().total(prices)
    assert ledger.spent().batch.calls and ledger.spent().teacher.calls
    assert total.calls == requests, "nothing was asked that is not counted"
    dearest = max(
        money(Usage(**row), specs[0].vlm.price) for model, row in booked_by_model(tmp_path) if model == ""
    )
    assert cap / 2 < total.cost <= cap + workers * dearest


def test_waiting_ends_for_a_job_that_was_not_known_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(endpoint_with(BatchPlan(forgets_jobs=True))) as endpoint:
        assert endpoint.batch is not None
        monkeypatch.setenv("OPENAI_API_KEY", endpoint.key)
        spec = prepared(tmp_path, endpoint, batch={"look_every": 1})
        run(spec, endpoint)
        jobs_ended(endpoint)
        run(spec, endpoint)
        assert job_files(tmp_path)[0]["problem"]
        endpoint.batch.batches.plan = BatchPlan()
        waiting = threading.Thread(target=wait_for_jobs, args=(spec,), daemon=True)
        waiting.start()
        waiting.join(60)
        assert not waiting.is_alive()
        assert run_to_the_end(spec, endpoint)[-1].pending == 0

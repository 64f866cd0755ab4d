"""Caps on calls, tokens and money: a run stops at them, goes on when they are raised, and never overspends."""

import time
from pathlib import Path

import pytest

from grounding_assets.core.budget.account import BudgetReached
from grounding_assets.core.budget.cost import Usage, money
from grounding_assets.core.errors import SpecError
from grounding_assets.core.spec.loading import validate_spec
from grounding_assets.core.spec.model_settings import PriceSpec
from tests.corpus import needs_corpus
from tests.doors.project import coco24_rows, endpoint_settings, make_project
from tests.endpoints.faults import Fault, Faults, Rule
from tests.endpoints.server import Latency, SimulatedEndpoint, running
from tests.money.capped_runs import PRICE, booked, capped_spec, prepare_set, run

SAMPLES = 48
LATENCY = Latency(median=0.01, p95=0.03)


def measures(rows) -> dict[str, float]:
    """What calls took, in the unit of each cap."""
    tokens_in = sum(row["tokens_in"] for row in rows)
    tokens_out = sum(row["tokens_out"] for row in rows)
    return {
        "max_calls": sum(row["calls"] for row in rows),
        "max_tokens": tokens_in + tokens_out,
        "max_cost": money(Usage(0, tokens_in, tokens_out), PriceSpec(**PRICE)),
    }


@pytest.mark.parametrize("workers", [1, 8, 64])
@pytest.mark.parametrize("cap", ["max_calls", "max_tokens", "max_cost"])
def test_a_cap_is_never_exceeded_by_more_than_what_was_in_flight(tmp_path: Path, cap: str, workers: int):
    prepare_set(tmp_path, SAMPLES)
    with running(SimulatedEndpoint("vllm", "qwen3_vl", cheap=True, latency=LATENCY)) as endpoint:
        # about half of what the whole set takes: 96 calls of some 500 tokens
        limit = {"max_calls": 48, "max_tokens": 24_000, "max_cost": 7.2}[cap]
        outcome = run(capped_spec(tmp_path, endpoint, workers, {cap: limit}), endpoint)

        assert isinstance(outcome.stopped_by, BudgetReached)
        assert cap in str(outcome.stopped_by)
        assert not outcome.failed
        assert outcome.pending == SAMPLES - sum(step == "1" for _, step in outcome.done) > 0
        rows = booked(tmp_path)
        assert len(rows) == len(endpoint.requests), "every request is booked, and nothing else"
        dearest = max(measures([row])[cap] for row in rows)
        spent = measures(rows)[cap]
        # calls are known before they are sent; of tokens, those in flight may turn out dearer than the mean
        assert spent <= limit + (0 if cap == "max_calls" else workers * dearest)
        assert spent > 0.5 * limit, "a cap that stops everything at once would be no cap"


@pytest.mark.parametrize("workers", [1, 8, 64])
def test_raising_the_cap_goes_on_where_it_stopped(tmp_path: Path, workers: int):
    prepare_set(tmp_path, SAMPLES)
    with running(SimulatedEndpoint("vllm", "qwen3_vl", cheap=True, latency=LATENCY)) as endpoint:
        first = run(capped_spec(tmp_path, endpoint, workers, {"max_calls": 36}), endpoint)
        assert len(endpoint.requests) == 36
        again = run(capped_spec(tmp_path, endpoint, workers, {"max_calls": 36}), endpoint)
        assert isinstance(again.stopped_by, BudgetReached) and not again.done
        assert len(endpoint.requests) == 36, "the cap holds for the data set, not for a run"

        last = run(capped_spec(tmp_path, endpoint, workers, {"max_calls": 1000}), endpoint)
        assert last.stopped_by is None and not last.failed and last.pending == 0
        assert len(first.done) + len(last.done) == 2 * SAMPLES
        assert len(endpoint.requests) == 2 * SAMPLES, "nothing that was paid for is asked again"


def test_calls_in_flight_at_the_cap_are_waited_for(tmp_path: Path):
    prepare_set(tmp_path, 8)
    with running(SimulatedEndpoint("vllm", "qwen3_vl", cheap=True, latency=0.3)) as endpoint:
        outcome = run(capped_spec(tmp_path, endpoint, 8, {"max_calls": 5}), endpoint)
        assert len(outcome.done) == len(endpoint.requests) == 5
        assert all(row["tokens_in"] for row in booked(tmp_path))


def test_failed_and_repeated_calls_count(tmp_path: Path):
    prepare_set(tmp_path, 4)
    # every first attempt is garbled, so that each step of a sample takes two calls
    garbled = Faults((Rule(Fault.MALFORMED, at_most=1),))
    with running(SimulatedEndpoint("vllm", "qwen3_vl", cheap=True, faults=garbled)) as endpoint:
        outcome = run(capped_spec(tmp_path, endpoint, 1, {"max_calls": 7}), endpoint)
        assert len(endpoint.requests) == 7
        assert len(outcome.done) == 3 and not outcome.failed
    refused = Faults((Rule(Fault.REFUSED),))
    with running(SimulatedEndpoint("vllm", "qwen3_vl", cheap=True, faults=refused)) as endpoint:
        outcome = run(capped_spec(tmp_path, endpoint, 1, {"max_calls": 9}), endpoint)
        assert len(endpoint.requests) == 2 and len(outcome.failed) == 2


def test_results_from_before_there_was_a_log_count(tmp_path: Path):
    prepare_set(tmp_path, 6)
    with running(SimulatedEndpoint("vllm", "qwen3_vl", cheap=True)) as endpoint:
        assert run(capped_spec(tmp_path, endpoint, 2, {}), endpoint).pending == 0
        taken = sum((Usage(**row) for row in booked(tmp_path)), Usage())
        (tmp_path / "results" / "calls.jsonl").unlink()
        prepare_set(tmp_path, 7)
        outcome = run(capped_spec(tmp_path, endpoint, 2, {"max_calls": 12}), endpoint)
        assert isinstance(outcome.stopped_by, BudgetReached)
        assert sum((Usage(**row) for row in booked(tmp_path)), Usage()) == taken


def test_a_cap_on_cost_without_a_price_is_refused(tmp_path: Path):
    with running(SimulatedEndpoint("vllm", "qwen3_vl", cheap=True)) as endpoint:
        spec = capped_spec(tmp_path, endpoint, 1, {"max_cost": 1.0})
    tree = spec.model_dump()
    tree["image_grounding"]["vlm"]["price"] = {}
    with pytest.raises(SpecError, match=r"vlm\.price"):
        validate_spec(tree, where="the test")


@needs_corpus("coco24")
def test_the_command_stops_at_the_cap_with_its_files_written_and_goes_on(tmp_path: Path):
    with running(SimulatedEndpoint("vllm", "qwen3_vl")) as endpoint:
        project = make_project(tmp_path, endpoint_settings(endpoint))
        project.write_input(coco24_rows(12))
        stopped = project.generate("image_grounding.workflow.max_calls=12")
        assert stopped.returncode == 1
        assert "workflow.max_calls=12" in stopped.stderr and "raise the cap" in stopped.stderr
        assert "are still pending" in stopped.stdout
        assert len(endpoint.requests) == 12
        written = len(project.lines())
        assert 0 < written < 12
        assert not project.lines("failures.jsonl")
        assert project.status("groundings")["failed"] == 0
        went_on = project.generate("image_grounding.workflow.max_calls=100")
        assert went_on.returncode == 0, went_on.stderr
        assert len(project.lines()) == 12


def test_a_sample_that_waits_for_another_attempt_does_not_hold_up_the_end(tmp_path: Path):
    prepare_set(tmp_path, 6)
    told_to_wait = Faults((Rule(Fault.RATE_LIMITED_SECONDS, captions=("cat 0 ",)),), retry_after=120.0)
    with running(SimulatedEndpoint("vllm", "qwen3_vl", cheap=True, faults=told_to_wait)) as endpoint:
        begun = time.monotonic()
        outcome = run(capped_spec(tmp_path, endpoint, 2, {"max_calls": 6}), endpoint)
        assert isinstance(outcome.stopped_by, BudgetReached)
        assert time.monotonic() - begun < 60
        assert not outcome.failed and len(endpoint.requests) == 6

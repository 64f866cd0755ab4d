"""The figures of a run: counted once each, and sensible before anything has happened."""

from typing import Any

import pytest

from grounding_assets.core.annotation.summary import RunSummary
from grounding_assets.core.errors import Reason, RunStopped, SampleFailure
from grounding_assets.core.steps import Step
from grounding_assets.core.store.checkpoint import Checkpoint


def checkpoint(**provenance: Any) -> Checkpoint:
    return Checkpoint("a", "", "", "", "A cat.", (), (9, 9), provenance, ())


def test_a_run_that_has_not_begun_has_figures() -> None:
    summary = RunSummary(requested=5, pending=3, steps=(Step.EXTRACTION, Step.GROUNDING))
    assert summary.seconds_left is None and summary.latency_s(0.95) == 0.0
    figures = summary.figures()
    assert (figures["requested"], figures["done"], figures["pending"]) == (5, 0, 3)
    assert all(isinstance(value, (int, float)) for value in figures.values())


def test_a_sample_is_done_when_its_last_step_is() -> None:
    summary = RunSummary(requested=2, pending=2, steps=(Step.EXTRACTION, Step.GROUNDING))
    summary.count_done(
        checkpoint(calls=1, attempts=3, tokens_in=10, tokens_out=2, seconds=0.5), Step.EXTRACTION
    )
    assert summary.done == 0
    summary.count_done(
        checkpoint(calls=2, attempts=2, tokens_in=20, tokens_out=4, seconds=3.0), Step.GROUNDING
    )
    summary.count_failed("s1", SampleFailure(Reason.TIMEOUT, "x", attempts=8))
    figures = summary.figures()
    assert (figures["done"], figures["failed"]) == (1, 1)
    assert (figures["tokens_in"], figures["tokens_out"], figures["retries"]) == (30, 6, 2)
    assert figures["mean_latency_seconds"] == 1.0, "of a call: half a second, and one and a half"
    assert (summary.latency_s(0), summary.latency_s(0.5), summary.latency_s(1)) == (0.5, 1.5, 1.5)
    assert dict(summary.failed_by_reason) == {"timeout": 1}


def test_the_embedded_teacher_makes_no_calls() -> None:
    summary = RunSummary(steps=(Step.EXTRACTION,))
    summary.count_done(checkpoint(), Step.EXTRACTION)
    assert (summary.calls, summary.retries, summary.done) == (0, 0, 1)


def test_time_left_follows_the_rate_so_far() -> None:
    summary = RunSummary(requested=30, pending=30, steps=(Step.EXTRACTION,))
    summary.begun -= 10
    summary.finished = 10
    assert summary.seconds_left is not None and 19 < summary.seconds_left < 21
    summary.finished = 30
    assert summary.seconds_left == 0


def of_ten(pending: int, done: int = 0, in_batches: int = 0, **fields: object) -> RunSummary:
    one = RunSummary(requested=10, pending=pending, done_before=10 - pending, steps=(Step.EXTRACTION,))
    one.done, one.in_batches = done, in_batches
    for name, value in fields.items():
        setattr(one, name, value)
    return one


@pytest.mark.parametrize(
    ("run", "words", "waits"),
    [
        (of_ten(0), "", False),
        (of_ten(3, done=3), "", False),
        (of_ten(3, done=2), "1 samples are still pending", False),
        (of_ten(3, done=1, in_batches=2), "", True),
        (of_ten(3, done=1, in_batches=1), "1 samples are still pending", True),
        # jobs of other samples than this run's
        (of_ten(3, done=3, in_batches=5), "", False),
        (of_ten(0, without_step_0=4), "4 samples have no output of the step before", False),
        (of_ten(3, done=1, in_batches=2, stopped_by=RunStopped("Stopped: x")), "Stopped: x", True),
    ],
)
def test_a_run_is_complete_waits_or_says_why_not(run: RunSummary, words: str, waits: bool) -> None:
    assert run.incompleteness.startswith(words) and bool(run.incompleteness) == bool(words)
    assert run.waits_for_batches == waits


def test_failures_are_named() -> None:
    run = of_ten(3, done=2)
    run.count_failed("a", SampleFailure(Reason.REFUSED, "no"))
    assert run.incompleteness.startswith("1 samples failed") and "a: refused: no" in run.incompleteness

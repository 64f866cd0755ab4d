"""The retry and pacing layer in virtual time: what is tried again, when, how many at once, and when it ends."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest

from grounding_assets.core.annotation.calls import ModelReply, ModelRequest, Trouble
from grounding_assets.core.errors import Reason, RunStopped, SampleFailure
from resources.vlm.retry import CallOutcome
from tests.resources.scripted_endpoint import (
    REPLY,
    REQUEST,
    Endpoint,
    call_once,
    caller,
    gaps,
    in_parallel,
    now,
    scripted,
    trouble,
)
from tests.resources.virtual_time import run_in_virtual_time


@pytest.mark.parametrize("kind", [Trouble.RATE_LIMITED, Trouble.TIMEOUT, Trouble.UNAVAILABLE])
def test_passing_troubles_are_tried_again(kind: Trouble) -> None:
    endpoint = Endpoint(scripted(trouble(kind), trouble(kind)))
    outcome = call_once(endpoint)
    assert (outcome.reply, outcome.attempts) == (REPLY, 3)
    assert outcome.seconds == pytest.approx(0.5), "of the request that succeeded"


def test_a_rejected_request_fails_at_once() -> None:
    endpoint = Endpoint(scripted(trouble(Trouble.REJECTED)))
    with pytest.raises(SampleFailure, match="rejected happened") as caught:
        call_once(endpoint)
    assert (caught.value.reason, caught.value.attempts) == (Reason.ENDPOINT_ERROR, 1)


def test_a_fatal_error_stops_the_run() -> None:
    with pytest.raises(RunStopped, match="fatal happened"):
        call_once(Endpoint(scripted(trouble(Trouble.FATAL))))


def test_waiting_doubles_with_jitter_up_to_a_minute() -> None:
    endpoint = Endpoint(scripted(*[trouble(Trouble.UNAVAILABLE)] * 9))
    call_once(endpoint, max_attempts=20, never_worked=())
    ceilings = [1, 2, 4, 8, 16, 32, 60, 60, 60]
    for gap, ceiling in zip(gaps(endpoint), ceilings, strict=True):
        assert ceiling / 2 <= gap <= ceiling
    assert len({round(gap / ceiling, 6) for gap, ceiling in zip(gaps(endpoint), ceilings, strict=True)}) == 9


def test_the_same_seed_waits_the_same() -> None:
    traces = []
    for seed in (1, 1, 2):
        endpoint = Endpoint(scripted(*[trouble(Trouble.TIMEOUT)] * 5))
        call_once(endpoint, seed=seed, never_worked=())
        traces.append(endpoint.sent_at)
    assert traces[0] == traces[1] != traces[2]


@pytest.mark.parametrize("kind", [Trouble.RATE_LIMITED, Trouble.UNAVAILABLE])
@pytest.mark.parametrize("asked_s", [0.0, 0.001, 7.0, 300.0])
def test_what_the_endpoint_asks_to_wait_is_waited(kind: Trouble, asked_s: float) -> None:
    endpoint = Endpoint(scripted(trouble(kind, asked_s)))
    call_once(endpoint)
    [gap] = gaps(endpoint)
    assert max(asked_s, 0.05) - 1e-9 <= gap <= max(asked_s * 1.1, 0.05) + 1e-9


def test_an_endpoint_that_asks_for_too_long_stops_the_run() -> None:
    with pytest.raises(RunStopped, match="asks to wait 3600 s; run again then"):
        call_once(Endpoint(scripted(trouble(Trouble.RATE_LIMITED, 3600.0))))


def test_attempts_are_limited_and_rate_limits_do_not_count() -> None:
    limited = [trouble(Trouble.RATE_LIMITED, 1.0)] * 30
    endpoint = Endpoint(scripted(*limited, *[trouble(Trouble.TIMEOUT)] * 8))
    with pytest.raises(SampleFailure) as caught:
        call_once(endpoint, never_worked=())
    assert (caught.value.reason, caught.value.attempts) == (Reason.TIMEOUT, 38)
    assert len(endpoint.sent_at) == 38


@pytest.mark.parametrize(
    ("kind", "asked_s", "error"),
    [
        (Trouble.RATE_LIMITED, None, RunStopped),
        (Trouble.RATE_LIMITED, 100.0, RunStopped),
        (Trouble.RATE_LIMITED, 0.0, RunStopped),
        (Trouble.TIMEOUT, None, SampleFailure),
    ],
)
def test_time_is_limited_waiting_included(
    kind: Trouble, asked_s: float | None, error: type[Exception]
) -> None:
    """With Retry-After 0 this is over a thousand attempts: the doubling must not overflow.

    Nothing but 429s for a quarter of an hour is nothing that a sample can be blamed for.
    """

    async def run() -> float:
        with pytest.raises(error, match=f"{kind} happened"):
            await caller(endpoint, max_attempts=10**6, never_worked=()).call(REQUEST)
        return now()

    endpoint = Endpoint(lambda number, at: trouble(kind, asked_s))
    assert 700 < run_in_virtual_time(run()) <= 900.5


def failures(endpoint: Endpoint, count: int, workers: int, **policy: Any) -> tuple[list[Any], float]:
    """What came of `count` calls, each new one begun when another has ended; and the time it took."""

    async def run() -> tuple[list[Any], float]:
        calls, outcomes = caller(endpoint, workers, **policy), []
        remaining: Iterator[int] = iter(range(count))

        async def worker() -> None:
            for _ in remaining:
                try:
                    outcomes.append(await calls.call(REQUEST))
                except SampleFailure as failure:
                    outcomes.append(failure)

        results = await asyncio.gather(*(worker() for _ in range(workers)), return_exceptions=True)
        stops = [result for result in results if result is not None]
        assert all(isinstance(stop, RunStopped) for stop in stops), stops
        return outcomes + stops, now()

    return run_in_virtual_time(run())


@pytest.mark.parametrize(
    ("workers", "latency_s", "within_s"),
    [(1, 0.5, 25), (4, 0.5, 20), (64, 0.5, 15), (1, 60, 125), (8, 60, 65)],
)
def test_an_endpoint_that_never_answers_stops_the_run_early(
    workers: int, latency_s: float, within_s: float
) -> None:
    """Refused at once, or no answer within a timeout of a minute."""
    endpoint = Endpoint(lambda number, at: trouble(Trouble.UNAVAILABLE), latency_s)
    outcomes, seconds = failures(endpoint, count=1000, workers=workers)
    assert {type(outcome) for outcome in outcomes} == {RunStopped}
    words = r"Stopped: \d+ requests in a row failed and no request has succeeded\. Last: unavailable happened"
    assert re.fullmatch(words, str(outcomes[0]))
    assert seconds <= within_s


def test_failures_that_come_before_the_first_reply_do_not_stop_a_run() -> None:
    """Errors are fast and replies are not: the first dozens of outcomes can all be errors."""
    endpoint = Endpoint(lambda number, at: None)

    async def complete(request: ModelRequest) -> ModelReply:
        number = len(endpoint.sent_at)
        endpoint.sent_at.append(now())
        await asyncio.sleep(0.01 if number % 10 == 0 else 40)
        if number % 10 == 0:
            raise trouble(Trouble.UNAVAILABLE)
        return REPLY

    endpoint.complete = complete  # type: ignore[method-assign]
    outcomes, _ = failures(endpoint, count=600, workers=256)
    assert all(isinstance(outcome, CallOutcome) for outcome in outcomes) and len(outcomes) == 600


def test_after_a_stop_nothing_more_is_sent() -> None:
    async def run() -> None:
        endpoint = Endpoint(lambda number, at: trouble(Trouble.UNAVAILABLE) if number % 2 else None, 5)
        calls = caller(endpoint, 4)
        waiting = asyncio.create_task(in_parallel(12, lambda: calls.call(REQUEST)))
        await asyncio.sleep(5.2)
        sent, begun = len(endpoint.sent_at), now()
        calls.stop(RunStopped("enough"))
        results = await waiting
        assert len(endpoint.sent_at) == sent
        assert now() - begun <= 5, "only what is in flight is waited for, not the time until another attempt"
        answered = [result for result in results if isinstance(result, CallOutcome)]
        assert len(answered) >= 2
        assert all(str(result) == "enough" for result in results if result not in answered)

    run_in_virtual_time(run())


def test_an_endpoint_that_dies_stops_the_run_when_it_stays_dead() -> None:
    endpoint = Endpoint(lambda number, at: trouble(Trouble.UNAVAILABLE) if at > 60 else None)
    outcomes, seconds = failures(endpoint, count=100_000, workers=4)
    stops = [outcome for outcome in outcomes if isinstance(outcome, RunStopped)]
    assert len(stops) == 4 and "nothing has succeeded for" in str(stops[0])
    assert 150 <= seconds <= 60 + 90 + 2 * 60
    assert len(outcomes) - 4 == pytest.approx(60 / 0.5 * 4, abs=8)


def test_a_short_outage_costs_nothing() -> None:
    endpoint = Endpoint(lambda number, at: trouble(Trouble.UNAVAILABLE) if 60 < at < 130 else None)
    outcomes, _ = failures(endpoint, count=2000, workers=16)
    assert all(isinstance(outcome, CallOutcome) for outcome in outcomes) and len(outcomes) == 2000


def test_rejections_stop_a_run_only_where_nothing_ever_succeeds() -> None:
    outcomes, _ = failures(Endpoint(lambda number, at: trouble(Trouble.REJECTED)), count=100, workers=1)
    assert [type(outcome) for outcome in outcomes] == [SampleFailure] * 19 + [RunStopped]
    once = Endpoint(lambda number, at: trouble(Trouble.REJECTED) if number else None)
    outcomes, _ = failures(once, count=100, workers=1)
    assert [type(outcome) for outcome in outcomes] == [CallOutcome] + [SampleFailure] * 99

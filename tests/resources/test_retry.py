"""The retry and pacing layer in virtual time: what is tried again, when, how many at once, and when it ends."""

import asyncio
import re
import weakref
from typing import Any

import pytest

from grounding_assets.core.annotation.calls import CallError, ModelReply, ModelRequest, Trouble
from grounding_assets.core.errors import Reason, RunStopped, SampleFailure
from resources.vlm.retry import CallOutcome
from tests.resources.scripted_endpoint import (
    REPLY,
    REQUEST,
    Endpoint,
    call_once,
    caller,
    failures,
    gaps,
    in_parallel,
    now,
    scripted,
    trouble,
)
from tests.resources.virtual_time import run_in_virtual_time


@pytest.mark.parametrize("kind", [Reason.RATE_LIMITED, Reason.TIMEOUT, Trouble.PASSING])
def test_passing_troubles_are_tried_again(kind: Trouble | Reason) -> None:
    endpoint = Endpoint(scripted(trouble(kind), trouble(kind)))
    outcome = call_once(endpoint)
    assert (outcome.reply, outcome.attempts) == (REPLY, 3)
    assert outcome.seconds == pytest.approx(0.5), "of the request that succeeded"


@pytest.mark.parametrize("kind", [Trouble.REQUEST, Trouble.SAMPLE])
def test_what_is_wrong_with_one_request_fails_at_once(kind: Trouble) -> None:
    with pytest.raises(SampleFailure, match=f"{kind} happened") as caught:
        call_once(Endpoint(scripted(trouble(kind))))
    assert (caught.value.reason, caught.value.attempts) == (Reason.ENDPOINT_ERROR, 1)


@pytest.mark.parametrize("kind", [Trouble.ACCOUNT, Trouble.ENDPOINT])
def test_what_can_never_work_stops_the_run_before_anything_has(kind: Trouble) -> None:
    with pytest.raises(RunStopped, match=f"{kind} happened"):
        call_once(Endpoint(scripted(trouble(kind))))


def test_waiting_doubles_with_jitter_up_to_a_minute() -> None:
    endpoint = Endpoint(scripted(*[trouble(Trouble.PASSING)] * 9))
    call_once(endpoint, max_attempts=20, never_worked=())
    ceilings = [1, 2, 4, 8, 16, 32, 60, 60, 60]
    for gap, ceiling in zip(gaps(endpoint), ceilings, strict=True):
        assert ceiling / 2 <= gap <= ceiling
    assert len({round(gap / ceiling, 6) for gap, ceiling in zip(gaps(endpoint), ceilings, strict=True)}) == 9


def test_the_same_seed_waits_the_same() -> None:
    traces = []
    for seed in (1, 1, 2):
        endpoint = Endpoint(scripted(*[trouble(Reason.TIMEOUT)] * 5))
        call_once(endpoint, seed=seed, never_worked=())
        traces.append(endpoint.sent_at)
    assert traces[0] == traces[1] != traces[2]


@pytest.mark.parametrize("kind", [Reason.RATE_LIMITED, Trouble.PASSING])
@pytest.mark.parametrize("asked_s", [0.0, 0.001, 7.0, 300.0])
def test_the_longer_of_backoff_and_what_is_asked_is_waited(kind: Trouble | Reason, asked_s: float) -> None:
    endpoint = Endpoint(scripted(trouble(kind, asked_s), trouble(kind, asked_s)))
    call_once(endpoint, never_worked=())
    for gap, ceiling in zip(gaps(endpoint), (1, 2), strict=True):
        assert max(asked_s, ceiling / 2) - 1e-9 <= gap <= max(asked_s * 1.1, ceiling) + 1e-9


def test_attempts_are_limited_and_rate_limits_count_apart() -> None:
    limited = [trouble(Reason.RATE_LIMITED, 1.0)] * 9
    endpoint = Endpoint(scripted(*limited, *[trouble(Reason.TIMEOUT)] * 8))
    with pytest.raises(SampleFailure) as caught:
        call_once(endpoint, never_worked=(), blame_sample_after_s=0)
    assert (caught.value.reason, caught.value.attempts) == (Reason.TIMEOUT, 17)
    assert len(endpoint.sent_at) == 17


@pytest.mark.parametrize("asked_s", [None, 0.0, 100.0])
def test_rate_limits_are_bounded_in_time_and_number(asked_s: float | None) -> None:
    """Nothing but 429s from the beginning is nothing that a sample can be blamed for."""

    async def run() -> float:
        with pytest.raises(
            RunStopped, match=r"no request has been let through for \d+ s. rate_limited happened"
        ):
            await caller(endpoint).call(REQUEST)
        return now()

    endpoint = Endpoint(lambda number, at: trouble(Reason.RATE_LIMITED, asked_s))
    assert 600 < run_in_virtual_time(run()) <= 900.5
    assert len(endpoint.sent_at) <= 30


@pytest.mark.parametrize(
    ("workers", "latency_s", "within_s"),
    [(1, 0.5, 25), (4, 0.5, 20), (64, 0.5, 15), (1, 60, 125), (8, 60, 65)],
)
def test_an_endpoint_that_never_answers_stops_the_run_early(
    workers: int, latency_s: float, within_s: float
) -> None:
    """Refused at once, or no answer within a timeout of a minute."""
    endpoint = Endpoint(lambda number, at: trouble(Trouble.PASSING), latency_s)
    outcomes, seconds = failures(endpoint, count=1000, workers=workers)
    assert {type(outcome) for outcome in outcomes} == {RunStopped}
    words = r"Stopped: \d+ requests in a row failed and no request has succeeded\. Last: passing happened\."
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
            raise trouble(Trouble.PASSING)
        return REPLY

    endpoint.complete = complete  # type: ignore[method-assign]
    outcomes, _ = failures(endpoint, count=600, workers=256)
    assert all(isinstance(outcome, CallOutcome) for outcome in outcomes) and len(outcomes) == 600


def test_after_a_stop_nothing_more_is_sent() -> None:
    async def run() -> None:
        endpoint = Endpoint(lambda number, at: trouble(Trouble.PASSING) if number % 2 else None, 5)
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


def test_rejections_stop_a_run_only_where_nothing_ever_succeeds() -> None:
    outcomes, _ = failures(Endpoint(lambda number, at: trouble(Trouble.REQUEST)), count=100, workers=1)
    assert [type(outcome) for outcome in outcomes] == [SampleFailure] * 19 + [RunStopped]
    once = Endpoint(lambda number, at: trouble(Trouble.REQUEST) if number else None)
    outcomes, _ = failures(once, count=100, workers=1)
    assert [type(outcome) for outcome in outcomes] == [CallOutcome] + [SampleFailure] * 99


# -- pauses: an endpoint that has worked ----------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 4, 64])
@pytest.mark.parametrize(
    "error",
    [
        trouble(Trouble.PASSING, reached=False),
        trouble(Trouble.ENDPOINT, reached=False),
        trouble(Reason.RATE_LIMITED),
    ],
    ids=["refused", "no such host", "limited"],
)
def test_an_outage_is_waited_for_with_one_request_now_and_then(workers: int, error: CallError) -> None:
    notices: list[str] = []
    endpoint = Endpoint(lambda number, at: error if 60 < at < 60 + 1800 else None)
    outcomes, seconds = failures(endpoint, count=workers * 200, workers=workers, notices=notices)
    assert all(isinstance(outcome, CallOutcome) for outcome in outcomes) and len(outcomes) == workers * 200
    asked = [at for at in endpoint.sent_at if 60 + 200 < at < 60 + 1700]
    assert 1500 / 61 - 1 <= len(asked) <= 1500 / 60 + 1
    assert seconds < 60 + 1800 + 61 + 60
    assert len(notices) == 2, notices
    assert re.match(
        r"Paused at \d\d:\d\d:\d\d: .* happened\. One request now and then asks again, for 60 min", notices[0]
    )
    assert re.match(
        r"Going on at \d\d:\d\d:\d\d, after (29|30|31) min: the endpoint answers again\.", notices[1]
    )


def test_failures_of_several_calls_pause_a_run_and_those_of_one_fail_it() -> None:
    everything = Endpoint(lambda number, at: trouble(Trouble.PASSING) if 60 < at < 660 else None)
    outcomes, _ = failures(everything, count=400, workers=4)
    assert all(isinstance(outcome, CallOutcome) for outcome in outcomes)

    async def run() -> list[Any]:
        endpoint = Endpoint(lambda number, at: None)

        async def complete(request: ModelRequest) -> ModelReply:
            await asyncio.sleep(0.5)
            if request.text == "poison":
                raise trouble(Trouble.PASSING)
            return REPLY

        endpoint.complete = complete  # type: ignore[method-assign]
        calls = caller(endpoint, 1)
        poison = ModelRequest("", REQUEST.image, "poison", None, 100, 0.0)
        asked = (REQUEST, poison, REQUEST)
        return [(await asyncio.gather(calls.call(r), return_exceptions=True))[0] for r in asked]

    before, poisoned, after = run_in_virtual_time(run())
    assert isinstance(before, CallOutcome) and isinstance(after, CallOutcome)
    assert isinstance(poisoned, SampleFailure)


@pytest.mark.parametrize("patience_s", [300.0, 3600.0])
def test_patience_bounds_a_pause(patience_s: float) -> None:
    notices: list[str] = []
    endpoint = Endpoint(lambda number, at: trouble(Trouble.PASSING, reached=False) if at > 60 else None)
    outcomes, seconds = failures(endpoint, count=100_000, workers=4, patience_s=patience_s, notices=notices)
    stops = [outcome for outcome in outcomes if isinstance(outcome, RunStopped)]
    assert (
        len(stops) == 4
        and "nothing has succeeded for" in str(stops[0])
        and "workflow.patience" in str(stops[0])
    )
    assert not [outcome for outcome in outcomes if isinstance(outcome, SampleFailure)]
    assert 60 + patience_s <= seconds <= 60 + patience_s + 180
    assert len(notices) == 1


def test_a_machine_that_sleeps_has_not_waited() -> None:
    """The clock jumps by a day while all calls are under way, and all their connections are gone."""

    async def run() -> list[Any]:
        loop, slept = asyncio.get_running_loop(), [0.0]
        endpoint = Endpoint(lambda number, at: None)

        async def complete(request: ModelRequest) -> ModelReply:
            endpoint.sent_at.append(now())
            await asyncio.sleep(0.5)
            if 100 <= len(endpoint.sent_at) < 140:
                slept[0] = 86_400.0
                raise trouble(Reason.TIMEOUT)
            return REPLY

        endpoint.complete = complete  # type: ignore[method-assign]
        calls = caller(endpoint, 16)
        calls._clock = lambda: loop.time() + slept[0]
        return await in_parallel(400, lambda: calls.call(REQUEST))

    assert all(isinstance(outcome, CallOutcome) for outcome in run_in_virtual_time(run()))


def test_an_endpoint_that_is_loading_is_waited_for_from_the_beginning() -> None:
    notices: list[str] = []
    endpoint = Endpoint(lambda number, at: trouble(Trouble.LOADING) if at < 120 else None)
    outcomes, seconds = failures(endpoint, count=50, workers=8, notices=notices)
    assert all(isinstance(outcome, CallOutcome) for outcome in outcomes)
    assert seconds < 120 + 61 and len(notices) == 2
    with pytest.raises(RunStopped, match="Stopped: loading happened"):
        call_once(Endpoint(scripted(trouble(Trouble.LOADING))), patience_s=0)


class _Body:
    """Stands for the bytes of a reply."""


def test_a_call_that_waits_holds_nothing_of_the_reply_that_failed() -> None:
    bodies: list[weakref.ref[_Body]] = []

    class Large(Endpoint):
        async def complete(self, request: ModelRequest) -> ModelReply:
            body = _Body()
            bodies.append(weakref.ref(body))
            try:
                raise ValueError(body)
            except ValueError:
                raise trouble(Trouble.PASSING) from None

    async def run() -> list[_Body | None]:
        call = asyncio.create_task(caller(Large(scripted())).call(REQUEST))
        await asyncio.sleep(0.1)
        held = [body() for body in bodies]
        call.cancel()
        return held

    assert run_in_virtual_time(run()) == [None]

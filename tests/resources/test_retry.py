"""The retry and pacing layer in virtual time: what is tried again, when, how many at once, and when it ends."""

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from grounding_assets.core.calls import CallError, Finish, ModelReply, ModelRequest, Trouble
from grounding_assets.core.errors import Reason, RunStopped, SampleFailure
from grounding_assets.core.images import PreparedImage
from resources.vlm.retry import CallOutcome, Pacer, RetryingCaller, RetryPolicy
from tests.resources.virtual_time import run_in_virtual_time

IMAGE = PreparedImage(b"", "image/jpeg", (1, 1), (1, 1), "", True)
REQUEST = ModelRequest("", IMAGE, "", None, 100, 0.0)
REPLY = ModelReply("{}", Finish.COMPLETE, 10, 5)
Answer = Callable[[int, float], CallError | None]


def now() -> float:
    return asyncio.get_running_loop().time()


def trouble(kind: Trouble, retry_after_s: float | None = None) -> CallError:
    return CallError(kind, f"{kind} happened", retry_after_s=retry_after_s)


@dataclass
class Endpoint:
    """Implements `core.calls.ModelClient`: answers by rule, after a fixed time."""

    answer: Answer
    """From the request's number and the time to an error, or to None for a reply."""
    latency_s: float = 0.5
    sent_at: list[float] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    structured_output: str = "plain"
    rate_limits: dict[str, str] = field(default_factory=dict)

    async def complete(self, request: ModelRequest) -> ModelReply:
        number = len(self.sent_at)
        self.sent_at.append(now())
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.latency_s)
            error = self.answer(number, now())
        finally:
            self.in_flight -= 1
        if error is not None:
            raise error
        return REPLY

    def learned(self) -> dict[str, Any]:
        return {}

    async def aclose(self) -> None: ...


def scripted(*errors: CallError | None) -> Answer:
    """These in turn, then replies."""
    return lambda number, at: errors[number] if number < len(errors) else None


def caller(endpoint: Endpoint, workers: int = 1, seed: int = 0, **policy: Any) -> RetryingCaller:
    """To be made inside the loop whose clock it uses."""
    return RetryingCaller(
        endpoint,
        max_in_flight=workers,
        policy=RetryPolicy(**policy),
        rng=random.Random(seed),
        clock=asyncio.get_running_loop().time,
    )


def call_once(endpoint: Endpoint, **options: Any) -> CallOutcome:
    async def run() -> CallOutcome:
        return await caller(endpoint, **options).call(REQUEST)

    return run_in_virtual_time(run())


def gaps(endpoint: Endpoint) -> list[float]:
    """Waiting times between the end of a request and the next one."""
    pairs = zip(endpoint.sent_at, endpoint.sent_at[1:], strict=False)
    return [later - earlier - endpoint.latency_s for earlier, later in pairs]


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


async def in_parallel(count: int, work: Callable[[], Awaitable[Any]]) -> list[Any]:
    return await asyncio.gather(*(work() for _ in range(count)), return_exceptions=True)


def test_requests_in_flight_reach_the_ceiling_and_stay_below() -> None:
    async def run() -> Endpoint:
        endpoint = Endpoint(scripted())
        calls = caller(endpoint, 16)
        assert len(await in_parallel(200, lambda: calls.call(REQUEST))) == 200
        assert now() == pytest.approx(0.5 * 200 / 16, rel=0.05)
        return endpoint

    assert run_in_virtual_time(run()).most_in_flight == 16


def test_a_wave_of_rate_limits_halves_once_and_success_grows_back() -> None:
    async def run() -> list[int]:
        endpoint = Endpoint(lambda number, at: trouble(Trouble.RATE_LIMITED) if number < 16 else None)
        calls, limits = caller(endpoint, 16), []

        async def one() -> None:
            await calls.call(REQUEST)
            limits.append(int(calls.pacer.limit))

        await in_parallel(400, one)
        assert calls.stats.rate_limited == calls.stats.retries == 16
        assert calls.stats.calls == 416
        return limits

    limits = run_in_virtual_time(run())
    assert limits[0] == 8 and limits[-1] == 16
    assert limits == sorted(limits)
    # additive increase: from 8 to 16 takes the successes of a round trip for each step
    assert 90 < limits.index(16) < 110


def test_a_second_wave_halves_again_down_to_one() -> None:
    async def run() -> tuple[list[float], int]:
        endpoint = Endpoint(lambda number, at: trouble(Trouble.RATE_LIMITED) if at < 200 else None)
        calls = caller(endpoint, 8)
        seen: list[float] = []

        async def one() -> None:
            await calls.call(REQUEST)

        async def watch() -> None:
            while now() < 200:
                if not seen or calls.pacer.limit != seen[-1]:
                    seen.append(calls.pacer.limit)
                await asyncio.sleep(0.01)

        results, _ = await asyncio.gather(in_parallel(8, one), watch())
        assert results == [None] * 8
        return seen, endpoint.most_in_flight

    limits, most = run_in_virtual_time(run())
    assert (limits, most) == ([8.0, 4.0, 2.0, 1.0], 8)


def test_rate_limits_and_successes_mixed_never_deadlock() -> None:
    async def run(seed: int) -> None:
        rng = random.Random(seed)
        kinds = [Trouble.RATE_LIMITED, Trouble.UNAVAILABLE, Trouble.TIMEOUT]
        endpoint = Endpoint(lambda n, at: trouble(rng.choice(kinds)) if rng.random() < 0.3 else None)
        calls = caller(endpoint, 12, seed)
        assert await in_parallel(300, lambda: calls.call(REQUEST)) != []
        assert calls.pacer.in_flight == 0

    for seed in range(5):
        run_in_virtual_time(run(seed))


def test_cancelled_calls_give_their_turn_on() -> None:
    async def run() -> None:
        pacer, order = Pacer(1, now), []

        async def hold(name: int) -> None:
            async with pacer.slot():
                order.append(name)
                await asyncio.sleep(1)

        tasks = [asyncio.create_task(hold(name)) for name in range(6)]
        await asyncio.sleep(0.5)
        for name in (0, 1, 3):
            tasks[name].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert order == [0, 2, 4, 5] and pacer.in_flight == 0

    run_in_virtual_time(run())


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

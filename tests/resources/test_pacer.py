"""How many requests are in flight at once, in virtual time."""

import asyncio
import random

import pytest

from grounding_assets.core.annotation.calls import Trouble
from grounding_assets.core.errors import Reason
from resources.vlm.pacer import Pacer
from tests.resources.scripted_endpoint import REQUEST, Endpoint, caller, in_parallel, now, scripted, trouble
from tests.resources.virtual_time import run_in_virtual_time


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
        endpoint = Endpoint(lambda number, at: trouble(Reason.RATE_LIMITED) if number < 16 else None)
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
        endpoint = Endpoint(lambda number, at: trouble(Reason.RATE_LIMITED) if at < 200 else None)
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
        kinds = [Reason.RATE_LIMITED, Trouble.PASSING, Reason.TIMEOUT]
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


def test_an_endpoint_that_refuses_by_chance_is_not_left_to_one_request_at_a_time() -> None:
    async def run() -> list[float]:
        rng = random.Random(1)
        endpoint = Endpoint(lambda number, at: trouble(Reason.RATE_LIMITED) if rng.random() < 0.3 else None)
        calls, limits = caller(endpoint, 64), []

        async def one() -> None:
            await calls.call(REQUEST)
            limits.append(calls.pacer.limit)

        await in_parallel(2000, one)
        return limits

    # a sixteenth of the ceiling
    assert int(min(run_in_virtual_time(run()))) == 4

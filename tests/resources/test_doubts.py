"""What may be one sample's trouble or everybody's: what comes of the other calls tells; in virtual time."""

import asyncio
from dataclasses import dataclass, replace
from typing import Any

import pytest

from grounding_assets.core.annotation.calls import CallError, ModelReply, ModelRequest, Trouble
from grounding_assets.core.errors import Reason, RunStopped, SampleFailure
from resources.vlm.retry import CallOutcome
from tests.resources.scripted_endpoint import REQUEST, Endpoint, caller, failures, trouble
from tests.resources.virtual_time import run_in_virtual_time


@pytest.mark.parametrize(
    "error", [trouble(Trouble.SAMPLE_OR_ACCOUNT), trouble(Reason.RATE_LIMITED, 86_400.0)]
)
@pytest.mark.parametrize("workers", [1, 4, 16])
def test_one_refusal_among_many_is_that_samples(error: CallError, workers: int) -> None:
    """The very first one among them."""
    endpoint = Endpoint(lambda number, at: error if number in (0, 40, 120, 299) else None)
    outcomes, _ = failures(endpoint, count=300, workers=workers)
    assert [type(outcome) for outcome in outcomes].count(SampleFailure) == 4
    assert len(outcomes) == 300 and not [o for o in outcomes if isinstance(o, RunStopped)]


@pytest.mark.parametrize(
    "error", [trouble(Trouble.SAMPLE_OR_ACCOUNT), trouble(Reason.RATE_LIMITED, 86_400.0)]
)
@pytest.mark.parametrize(("workers", "doubtful"), [(1, 2), (2, 1), (4, 0), (16, 0)])
@pytest.mark.parametrize("since", [0, 100])
def test_all_of_them_refused_stop_the_run(error: CallError, workers: int, doubtful: int, since: int) -> None:
    endpoint = Endpoint(lambda number, at: error if number >= since else None)
    outcomes, _ = failures(endpoint, count=300, workers=workers)
    failed = [outcome for outcome in outcomes if isinstance(outcome, SampleFailure)]
    assert len(failed) == doubtful and all(failure.in_doubt for failure in failed)
    assert [type(outcome) for outcome in outcomes].count(RunStopped) == workers
    assert len(endpoint.sent_at) <= since + max(workers, 3)


def test_all_told_to_wait_for_less_than_patience_wait_that_long() -> None:
    notices: list[str] = []
    endpoint = Endpoint(lambda number, at: trouble(Reason.RATE_LIMITED, 1800.0) if 60 < at < 1800 else None)
    outcomes, seconds = failures(endpoint, count=1000, workers=8, notices=notices)
    assert all(isinstance(outcome, CallOutcome) for outcome in outcomes) and len(outcomes) == 1000
    assert len(notices) == 2 and 1860 <= seconds < 2000


@dataclass
class Poisoned(Endpoint):
    """Says of one request, each time, that it is loading."""

    async def complete(self, request: ModelRequest) -> ModelReply:
        reply = await super().complete(request)
        if request.text == "poison":
            raise trouble(Trouble.LOADING)
        return reply


def test_one_picture_whose_error_sounds_like_loading_fails_alone() -> None:
    notices: list[str] = []

    async def run() -> list[Any]:
        calls = caller(Poisoned(lambda number, at: None), 4, notices=notices)
        ended = asyncio.Event()

        async def others() -> None:
            while not ended.is_set():
                await calls.call(REQUEST)

        busy = [asyncio.create_task(others()) for _ in range(3)]
        await asyncio.sleep(5.2)
        (poison,) = await asyncio.gather(calls.call(replace(REQUEST, text="poison")), return_exceptions=True)
        ended.set()
        return [poison, *await asyncio.gather(*busy)]

    poison, *_ = run_in_virtual_time(run())
    assert isinstance(poison, SampleFailure) and poison.attempts == 8
    assert notices == [], "the run went on"

"""An endpoint that answers by rule in virtual time, and the caller that is tested on it."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from grounding_assets.core.annotation.calls import CallError, Finish, ModelReply, ModelRequest, Trouble
from grounding_assets.core.errors import Reason, RunStopped, SampleFailure
from grounding_assets.core.images.prepared_image import PreparedImage
from resources.vlm.policy import RetryPolicy
from resources.vlm.retry import CallOutcome, RetryingCaller
from tests.resources.virtual_time import run_in_virtual_time

IMAGE = PreparedImage(b"", "image/jpeg", (1, 1), (1, 1), "", True)
REQUEST = ModelRequest("", IMAGE, "", None, 100, 0.0)
REPLY = ModelReply("{}", Finish.COMPLETE, 10, 5)
Answer = Callable[[int, float], CallError | None]


def now() -> float:
    return asyncio.get_running_loop().time()


def trouble(kind: Trouble | Reason, retry_after_s: float | None = None, *, reached: bool = True) -> CallError:
    """A `Reason` stands for a passing trouble of that name."""
    named, reason = (Trouble.PASSING, kind) if isinstance(kind, Reason) else (kind, Reason.ENDPOINT_ERROR)
    return CallError(named, f"{kind} happened.", reason=reason, retry_after_s=retry_after_s, reached=reached)


@dataclass
class Endpoint:
    """Implements `core.annotation.calls.ModelClient`: answers by rule, after a fixed time."""

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


def caller(
    endpoint: Endpoint, workers: int = 1, seed: int = 0, notices: list[str] | None = None, **policy: Any
) -> RetryingCaller:
    """To be made inside the loop whose clock it uses."""
    return RetryingCaller(
        endpoint,
        max_in_flight=workers,
        policy=RetryPolicy(**policy),
        notice=None if notices is None else notices.append,
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


async def in_parallel(count: int, work: Callable[[], Awaitable[Any]]) -> list[Any]:
    return await asyncio.gather(*(work() for _ in range(count)), return_exceptions=True)


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

"""The one retry and pacing layer, for all backends: backoff, concurrency, and when to give up.

Clients classify an error; this decides. Waiting times grow exponentially with equal jitter
(M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015); how many requests may be
in flight is `pacer`'s.
"""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from grounding_assets.core.annotation.calls import CallError, ModelClient, ModelReply, ModelRequest, Trouble
from grounding_assets.core.budget.cost import BudgetReached, Usage
from grounding_assets.core.budget.spending import Account
from grounding_assets.core.errors import Reason, RunStopped, SampleFailure
from resources.vlm.pacer import Pacer

_REASONS = {
    Trouble.RATE_LIMITED: Reason.RATE_LIMITED,
    Trouble.TIMEOUT: Reason.TIMEOUT,
    Trouble.UNAVAILABLE: Reason.ENDPOINT_ERROR,
    Trouble.REJECTED: Reason.ENDPOINT_ERROR,
    Trouble.FATAL: Reason.ENDPOINT_ERROR,
}


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to try. Times in seconds."""

    max_attempts: int = 8
    """Requests for one call at most."""
    max_elapsed_s: float = 900
    """Time for one call at most, waiting included."""
    first_wait_s: float = 1.0
    longest_wait_s: float = 60.0
    dead_after_attempts: int = 20
    """Failed attempts in a row, over all samples, from which on an endpoint that has worked may be dead …"""
    dead_after_s: float = 90.0
    """… and is, once nothing has succeeded for so long."""
    never_worked: Sequence[tuple[int, float]] = ((5, 10.0), (2, 60.0))
    """The same two figures for an endpoint that nothing has come from yet; any pair of them will do."""


@dataclass(slots=True)
class CallStats:
    """What all calls of a run came to."""

    calls: int = 0
    """Requests sent, retries included."""
    retries: int = 0
    rate_limited: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    thinking_replies: int = 0

    def count(self, reply: ModelReply) -> None:
        self.tokens_in += reply.tokens_in
        self.tokens_out += reply.tokens_out
        self.thinking_replies += reply.thinking


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """The reply, the requests it took, and the seconds of the one that succeeded."""

    reply: ModelReply
    attempts: int
    seconds: float


class RetryingCaller:
    """Sends requests until one succeeds or trying again makes no sense."""

    def __init__(
        self,
        client: ModelClient,
        *,
        max_in_flight: int,
        policy: RetryPolicy | None = None,
        account: Account | None = None,
        rng: random.Random | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._client = client
        self.account = account
        self._policy = policy or RetryPolicy()
        self._rng = rng or random.Random()
        self._clock = clock
        self.pacer = Pacer(max_in_flight, clock)
        self.stats = CallStats()
        self._failed_in_a_row = 0
        self._first_sent = float("inf")
        self._last_success: float | None = None
        self._stopped: RunStopped | None = None
        self._stopping = asyncio.Event()

    @property
    def structured_output(self) -> str:
        """How far the endpoint goes along with a reply schema."""
        return self._client.structured_output

    @property
    def rate_limits(self) -> dict[str, str]:
        return self._client.rate_limits

    @property
    def manners(self) -> dict[str, Any]:
        """What the client has learned about the endpoint, to be given to the next one."""
        return self._client.learned()

    async def aclose(self) -> None:
        await self._client.aclose()

    def stop(self, reason: RunStopped) -> None:
        """Sends nothing more: `call` raises `reason` instead. Requests in flight go on."""
        self._stopped = self._stopped or reason
        self._stopping.set()

    async def call(self, request: ModelRequest) -> CallOutcome:
        """One reply.

        Raises:
            SampleFailure: this request fails for good, or its budget is used up.
            RunStopped: no request can succeed, or a cap leaves no room for another one.
        """
        begun = self._clock()
        attempt = counted = 0
        while True:
            attempt += 1
            sent_at = self._clock()
            try:
                async with self.pacer.slot() as sent_at:
                    reply = await self._send(request)
            except CallError as error:
                self._judge(error, sent_at)
                # being told to wait is no failed attempt: only time limits it
                counted += error.trouble is not Trouble.RATE_LIMITED
                wait = self._wait_before(attempt + 1, error)
                if error.trouble is Trouble.REJECTED or self._is_used_up(begun, counted, wait, error):
                    raise self._failure(error, attempt) from None
                self.stats.retries += 1
                await self._pause(wait)
                continue
            self._failed_in_a_row = 0
            self.stats.count(reply)
            self._last_success = self._clock()
            self.pacer.grow()
            return CallOutcome(reply, attempt, self._last_success - sent_at)

    async def _send(self, request: ModelRequest) -> ModelReply:
        """One request, with the account asked before it and told after it, however it ends."""
        self._raise_if_stopped()
        self._first_sent = min(self._first_sent, self._clock())
        if self.account is not None:
            try:
                self.account.reserve()
            except BudgetReached as reached:
                self.stop(reached)
                raise
        self.stats.calls += 1
        usage = Usage(calls=1)
        try:
            reply = await self._client.complete(request)
            usage = Usage(1, reply.tokens_in, reply.tokens_out)
            return reply
        finally:
            if self.account is not None:
                self.account.settle(usage)

    async def _pause(self, seconds: float) -> None:
        """Waits before another attempt, but not beyond the moment at which the run is stopped."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return
        self._raise_if_stopped()

    def _is_used_up(self, begun: float, counted: int, wait: float, error: CallError) -> bool:
        """Whether a call has had its share of attempts or of time.

        Raises:
            RunStopped: all that time the endpoint has let nothing through, whatever was asked.
        """
        spent = self._clock() - begun
        worked = self._last_success is not None and self._last_success >= begun
        if counted >= self._policy.max_attempts:
            # while nothing succeeds at all, it is too early to blame the sample: the endpoint may be dead
            return worked or spent >= self._policy.dead_after_s
        if spent + wait <= self._policy.max_elapsed_s:
            return False
        if error.trouble is Trouble.RATE_LIMITED and not worked:
            self._stop_run(f"Stopped: no request has been let through for {spent:.0f} s. {error}")
        return True

    def _judge(self, error: CallError, sent_at: float) -> None:
        """Draws the conclusions for the run as a whole."""
        if error.trouble is Trouble.FATAL:
            self._stop_run(str(error))
        if (error.retry_after_s or 0) > self._policy.max_elapsed_s:
            wait = f"{error.retry_after_s:.0f} s"
            self._stop_run(f"Stopped: the endpoint asks to wait {wait}; run again then. {error}")
        if error.trouble is Trouble.RATE_LIMITED:
            self.stats.rate_limited += 1
            self.pacer.cut(sent_at)
            return
        if error.trouble is Trouble.REJECTED and self._last_success is not None:
            return
        self._failed_in_a_row += 1
        never, quiet_s, policy = self._last_success is None, self._quiet_s(), self._policy
        limits = policy.never_worked if never else ((policy.dead_after_attempts, policy.dead_after_s),)
        if error.trouble is Trouble.REJECTED:
            # nothing is loading there: what is asked is wrong
            limits = ((policy.dead_after_attempts, 0.0),)
        # many that still wait for their answer say more than a few that failed fast
        enough = self._failed_in_a_row >= self.pacer.in_flight
        if enough and any(self._failed_in_a_row >= count and quiet_s >= s for count, s in limits):
            since = "no request has succeeded" if never else f"nothing has succeeded for {quiet_s:.0f} s"
            self._stop_run(
                f"Stopped: {self._failed_in_a_row} requests in a row failed and {since}. Last: {error}"
            )

    def _stop_run(self, message: str) -> NoReturn:
        self.stop(RunStopped(message))
        raise RunStopped(message) from None

    def _raise_if_stopped(self) -> None:
        if self._stopped is not None:
            raise self._stopped

    def _quiet_s(self) -> float:
        """Seconds since the last success, or since the first request where there was none."""
        return self._clock() - (self._first_sent if self._last_success is None else self._last_success)

    def _wait_before(self, attempt: int, error: CallError) -> float:
        doublings = min(attempt - 2, 30)
        ceiling = min(self._policy.longest_wait_s, self._policy.first_wait_s * 2**doublings)
        wait = self._rng.uniform(ceiling / 2, ceiling)
        if error.retry_after_s is not None:
            # a little later than asked, so that those who were told the same do not come back together
            wait = max(error.retry_after_s * self._rng.uniform(1.0, 1.1), 0.05)
        return wait

    def _failure(self, error: CallError, attempts: int) -> SampleFailure:
        return SampleFailure(_REASONS[error.trouble], str(error), attempts=attempts)

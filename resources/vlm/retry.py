"""The one retry and pacing layer, for all backends: backoff, concurrency, pauses, and when to give up.

Clients tell what an error is about; what follows is `policy`'s table, and is done here. Waiting times grow
exponentially with equal jitter (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015); how
many requests may be in flight is `pacer`'s.
"""

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any, NoReturn

from grounding_assets.core.annotation.calls import CallError, ModelClient, ModelReply, ModelRequest, Trouble
from grounding_assets.core.budget.account import Account, BudgetReached
from grounding_assets.core.errors import Reason, RunStopped
from resources.vlm.attempts import Attempts, CallOutcome, CallStats
from resources.vlm.doubts import Doubts
from resources.vlm.pacer import Pacer
from resources.vlm.pause import Pause
from resources.vlm.policy import CONSEQUENCES, RetryPolicy


class RetryingCaller:
    """Sends requests until one succeeds or trying again makes no sense."""

    def __init__(
        self,
        client: ModelClient,
        *,
        max_in_flight: int,
        policy: RetryPolicy | None = None,
        account: Account | None = None,
        notice: Callable[[str], None] | None = None,
        rng: random.Random | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        """`notice` is told of pauses, and of what the user should know about the endpoint, in one line each."""
        self.client = client
        self.account = account
        self.notice = notice or (lambda text: None)
        self._policy = policy or RetryPolicy()
        self._rng = rng or random.Random()
        self._clock = clock
        self.pacer = Pacer(max_in_flight, clock)
        self.stats = CallStats()
        self._first_sent = float("inf")
        self._last_success: float | None = None
        self._failed_in_a_row = 0
        self._failing: set[int] = set()
        """The calls that these failures are of."""
        self._active = 0
        self._doubts = Doubts()
        self._pause: Pause | None = None
        self._stopped: RunStopped | None = None
        self._stopping = asyncio.Event()

    @property
    def structured_output(self) -> str:
        """How far the endpoint goes along with a reply schema."""
        return self.client.structured_output

    @property
    def rate_limits(self) -> dict[str, str]:
        return self.client.rate_limits

    @property
    def manners(self) -> dict[str, Any]:
        """What the client has learned about the endpoint, to be given to the next one."""
        return self.client.learned()

    async def aclose(self) -> None:
        await self.client.aclose()

    def stop(self, reason: RunStopped) -> None:
        """Sends nothing more: `call` raises `reason` instead. Requests in flight go on."""
        self._stopped = self._stopped or reason
        self._stopping.set()
        self._doubts.tell()
        if self._pause is not None:
            self._pause.wake()

    async def call(self, request: ModelRequest) -> CallOutcome:
        """One reply.

        Raises:
            SampleFailure: this request fails for good, or its budget is used up.
            RunStopped: no request can succeed, or a cap leaves no room for another one.
        """
        self._active += 1
        try:
            return await self._call(request, Attempts(self._policy, self._clock()))
        finally:
            self._active -= 1

    async def _call(self, request: ModelRequest, attempts: Attempts) -> CallOutcome:
        while True:
            asks = await self._may_send(attempts)
            attempts.number += 1
            sent_at = self._clock()
            try:
                try:
                    async with self.pacer.slot() as sent_at:
                        reply = await self._send(request)
                finally:
                    took_s = min(self._clock() - sent_at, self._policy.longest_request_s)
                    attempts.spent_s += took_s
                    if asks is not None:
                        asks.ended(took_s)
            except CallError as error:
                # their frames hold the reply, of up to 32 MB, for as long as the call waits
                error.__traceback__ = error.__context__ = None
                await self._after_failure(error, attempts, sent_at)
                continue
            self._after_success(reply, sent_at)
            return CallOutcome(reply, attempts.number, self._clock() - sent_at)

    async def _send(self, request: ModelRequest) -> ModelReply:
        """One request; the client asks the account before it sends."""
        self._raise_if_stopped()
        self._first_sent = min(self._first_sent, self._clock())
        self.stats.calls += 1
        try:
            return await self.client.complete(request)
        except BudgetReached as reached:
            self.stats.calls -= 1
            self.stop(reached)
            raise

    async def _may_send(self, attempts: Attempts) -> Pause | None:
        """Waits while the run pauses; the pause if this call is the one that asks during it."""
        while (pause := self._pause) is not None:
            self._raise_if_stopped()
            attempts.begin_anew()
            if await pause.turn(self._wait):
                if pause is self._pause:
                    return pause
                pause.ended()
        return None

    def _after_success(self, reply: ModelReply, sent_at: float) -> None:
        now = self._clock()
        self.stats.count(reply)
        self._failed_in_a_row = 0
        self._failing.clear()
        self._last_success = now
        self.pacer.grow()
        # one that was under way at the time of a refusal says nothing about it
        self._doubts.tell(refused_until=sent_at)
        if self._pause is not None:
            pause, self._pause = self._pause, None
            self.notice(pause.ends(now))
            pause.wake()

    async def _after_failure(self, error: CallError, attempts: Attempts, sent_at: float) -> None:
        """Returns if the call is to be tried again, when it is time for it.

        Raises:
            SampleFailure, RunStopped: as `call`.
        """
        consequence, never = CONSEQUENCES[error.trouble], self._last_success is None
        if consequence.stops_always or (never and consequence.stops_at_start):
            self._stop_run(str(error))
        if error.reason is Reason.RATE_LIMITED:
            self.stats.rate_limited += 1
            self.pacer.cut(sent_at)
        if consequence.fails_sample:
            if never and error.trouble is Trouble.REQUEST:
                self._count_failure(attempts)
                self._stop_if_never_worked(((self._policy.rejected_in_a_row, 0.0),), error)
            raise attempts.failure(error)
        wait = attempts.wait_before_next(error, self._rng)
        asked_too_long = (error.retry_after_s or 0) > self._policy.max_elapsed_s
        if error.trouble is Trouble.SAMPLE_OR_ACCOUNT or (
            asked_too_long and self._pause is None and not consequence.pauses_at_once
        ):
            await self._settle_doubt(error, attempts)
            return
        self._count_failure(attempts)
        # an endpoint that has answered others meanwhile is not what is loading
        answers_others = self._last_success is not None and self._last_success > sent_at
        if (consequence.pauses_at_once and not answers_others) or self._is_down(error):
            self._begin_pause(error)
        if self._pause is not None:
            self._give_up_after_patience(error)
            # those that asked just now queue up behind the others
            await asyncio.sleep(0)
            return
        if never and error.reason is not Reason.RATE_LIMITED:
            self._stop_if_never_worked(self._policy.never_worked, error)
        self._raise_if_used_up(attempts, wait, error)
        self.stats.retries += 1
        attempts.spent_s += wait
        await self._wait(wait)

    def _count_failure(self, attempts: Attempts) -> None:
        self._failed_in_a_row += 1
        self._failing.add(id(attempts))

    # -- what is wrong: this call, or all of them ----------------------------------------------------

    def _is_down(self, error: CallError) -> bool:
        """Whether what fails is the endpoint, which has worked before, and not the samples."""
        if self._last_success is None or self._pause is not None:
            return False
        policy, limited = self._policy, error.reason is Reason.RATE_LIMITED
        # many that still wait for their answer say more than a few that failed fast
        enough = self._failed_in_a_row >= max(policy.pause_after, self.pacer.in_flight)
        quiet_s = policy.pause_after_limited_s if limited else policy.pause_after_s
        # one call that fails again and again may have itself to blame
        unmistakable = len(self._failing) > 1 or limited or not error.reached
        return enough and unmistakable and self._clock() - self._last_success >= quiet_s

    def _stop_if_never_worked(self, limits: Any, error: CallError) -> None:
        since = self._clock() - self._first_sent
        enough = self._failed_in_a_row >= self.pacer.in_flight
        if enough and any(self._failed_in_a_row >= count and since >= s for count, s in limits):
            self._stop_run(
                f"Stopped: {self._failed_in_a_row} requests in a row failed and no request has succeeded. Last: {error}"
            )

    def _raise_if_used_up(self, attempts: Attempts, wait: float, error: CallError) -> None:
        attempts.count(error)
        works = self._last_success is not None and self._last_success >= attempts.begun
        if not attempts.are_used_up(wait, others_work=works):
            return
        if error.reason is Reason.RATE_LIMITED and not works:
            self._stop_run(f"Stopped: no request has been let through for {attempts.spent_s:.0f} s. {error}")
        raise attempts.failure(error)

    async def _settle_doubt(self, error: CallError, attempts: Attempts) -> None:
        """Finds out whether a refusal is about this sample or about all: what comes of other calls tells.

        Returns if the run pauses meanwhile. With too few other calls the sample fails, but in doubt.
        """
        told = self._doubts.add(self._clock())
        count, settled = len(self._doubts), False
        if count >= max(self._policy.in_doubt, self._active):
            self._conclude_for_all(error, count)
        else:
            settled = await self._doubts.settled(told, self._active, self._policy.longest_doubt_s)
            self._raise_if_stopped()
        if self._pause is None:
            raise attempts.failure(error, in_doubt=not settled)

    def _conclude_for_all(self, error: CallError, count: int) -> None:
        """So many calls in a row mean the endpoint or the account: the run pauses or stops."""
        asked_s = error.retry_after_s or 0
        if error.trouble is Trouble.SAMPLE_OR_ACCOUNT:
            self._stop_run(f"Stopped: {count} calls in a row were refused. Last: {error}")
        if asked_s > self._policy.patience_s:
            self._stop_run(f"Stopped: the endpoint asks to wait {asked_s:.0f} s; run again then. {error}")
        self._begin_pause(error)
        self._doubts.tell()

    # -- pausing and stopping ------------------------------------------------------------------------

    def _begin_pause(self, error: CallError) -> None:
        if self._pause is None:
            policy = self._policy
            wait = max(policy.first_pause_s, error.retry_after_s or 0)
            self._pause = Pause(self._clock(), wait, max(wait, policy.longest_pause_s), policy.patience_s)
            if policy.patience_s > 0:
                self.notice(self._pause.begins(str(error)))

    def _give_up_after_patience(self, error: CallError) -> None:
        assert self._pause is not None
        if self._policy.patience_s == 0:
            self._stop_run(f"Stopped: {error}")
        if self._pause.is_over_long:
            self._stop_run(f"{self._pause.gives_up()} Last: {error}")
        self._pause.asked_to_wait(error.retry_after_s or 0)

    def _stop_run(self, message: str) -> NoReturn:
        self.stop(RunStopped(message))
        raise RunStopped(message) from None

    def _raise_if_stopped(self) -> None:
        if self._stopped is not None:
            raise self._stopped

    async def _wait(self, seconds: float) -> None:
        """Waits, but not beyond the moment at which the run is stopped."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return
        self._raise_if_stopped()

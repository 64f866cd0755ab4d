"""The caller of a run by batch: answers from jobs that are collected, and puts what is not answered into the next one.

So a sample goes through the same teacher, reader and checks as by ordinary calls; it only takes several runs.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from grounding_assets.core.annotation.asking import Asker, Deferred, current_asker
from grounding_assets.core.annotation.calls import CallError, ModelRequest, Trouble
from grounding_assets.core.batch.journal import Answer, Journal
from grounding_assets.core.batch.request_file import request_key
from grounding_assets.core.errors import RunStopped, SampleFailure
from resources.vlm.attempts import CallOutcome
from resources.vlm.client import EndpointClient
from resources.vlm.retry import RetryingCaller

_MOST_TRIES = 3
"""Jobs that a request may fail in."""
_FEW, _SMALL_SHARE = 20, 0.1
"""Of a job's requests, those that may be asked again by ordinary calls."""

Put = Callable[[str, Asker, ModelRequest], Awaitable[None]]


class BatchCaller:
    """See `resources.vlm.caller.Caller`."""

    def __init__(
        self,
        calls: RetryingCaller,
        client: EndpointClient,
        journal: Journal,
        put: Put,
        *,
        rest_by_calls: bool,
    ):
        """`calls` makes ordinary calls; `put` puts a request into the next job."""
        self._calls, self._client, self._journal, self._put = calls, client, journal, put
        self._rest_by_calls = rest_by_calls
        self.account, self.pacer, self.stats, self.notice = (
            calls.account,
            calls.pacer,
            calls.stats,
            calls.notice,
        )
        self._stopped: RunStopped | None = None

    @property
    def structured_output(self) -> str:
        return self._calls.structured_output

    @property
    def rate_limits(self) -> dict[str, str]:
        return self._calls.rate_limits

    @property
    def manners(self) -> dict[str, Any]:
        return self._calls.manners

    async def aclose(self) -> None:
        await self._calls.aclose()

    def stop(self, reason: RunStopped) -> None:
        self._stopped = self._stopped or reason
        self._calls.stop(reason)

    async def call(self, request: ModelRequest) -> CallOutcome:
        """The reply from a job, or by an ordinary call if that is set for the rest.

        Raises:
            Deferred: it waits for a job.
            SampleFailure, RunStopped: as `RetryingCaller.call`.
        """
        asker = current_asker()
        if asker is None:
            return await self._calls.call(request)
        if self._stopped is not None:
            raise self._stopped
        key = request_key(asker, request)
        answer = self._journal.answer(key)
        problem: CallError | None = None
        if answer is not None and answer.tries:
            try:
                outcome = self._read(answer, request)
            except CallError as error:
                problem = error
            else:
                asker.answered += 1
                return outcome
        if self._may_be_called(asker, answer, problem):
            return await self._calls.call(request)
        if problem is not None and answer is not None and answer.tries >= _MOST_TRIES:
            raise SampleFailure(
                problem.reason, f"{problem} Tried in {answer.tries} batches.", attempts=answer.tries
            )
        asker.waits = True
        await self._put(key, asker, request)
        raise Deferred

    def _read(self, answer: Answer, request: ModelRequest) -> CallOutcome:
        line = answer.read()
        if line is None:
            raise CallError(Trouble.PASSING, "The batch ran to its end without an answer to this request.")
        reply = self._client.read(line.status, line.body, request)
        self.stats.count(reply)
        return CallOutcome(reply, 1, 0.0, batch=answer.job_id)

    def _may_be_called(self, asker: Asker, answer: Answer | None, problem: CallError | None) -> bool:
        """Whether this is one of the few left over: failed in its job, or put again after a reply that was of no use."""
        if not self._rest_by_calls:
            return False
        is_rest = asker.answered > 0 if answer is None else problem is not None and self._is_of_few(answer)
        # the reply to a call is lost if another request of the attempt waits for a job: it would be paid for again
        return is_rest and not asker.waits and not self._another_waits(asker)

    def _another_waits(self, asker: Asker) -> bool:
        answers = self._journal.answers_of(asker.sample_id, asker.step)
        return any(not one.succeeded and not (one.tries and self._is_of_few(one)) for one in answers)

    def _is_of_few(self, answer: Answer) -> bool:
        job = self._journal.jobs[answer.job_id]
        failed = job.requests - job.figures.get("answered", 0)
        return failed <= max(_FEW, _SMALL_SHARE * job.requests)

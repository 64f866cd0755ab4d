"""The bounded asynchronous map over samples: claim, prepare, extract, ground, store, count.

Retries and pacing are the teacher's; Dagster events are the listener's.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from grounding_assets.core.annotation.asking import Asker, Deferred, asking
from grounding_assets.core.annotation.asking_again import ground_sample
from grounding_assets.core.annotation.image_reading import ImageReading
from grounding_assets.core.annotation.listener import Listener, at_no_cost
from grounding_assets.core.annotation.preparation import PreparedSample, prepare_sample
from grounding_assets.core.annotation.teacher import Teacher
from grounding_assets.core.annotation.verification import verify_sample
from grounding_assets.core.annotation.verification_journal import VerificationJournal
from grounding_assets.core.annotation.verifier import Verifier
from grounding_assets.core.dataset.workspace import PendingSample, Workspace
from grounding_assets.core.errors import Reason, RunStopped, SampleFailure
from grounding_assets.core.records import Extraction, Grounding, Verification
from grounding_assets.core.steps import Step
from grounding_assets.core.store.checkpoint import Checkpoint
from grounding_assets.core.store.fingerprint import grounding_fingerprint, settings_fingerprint
from grounding_assets.core.store.sample_locks import Claims

GRACE_S = 10.0
"""How long calls in flight may go on after a stop, in seconds."""
_AHEAD, _MOST_AHEAD = 8, 8
"""One sample is read ahead for so many requests in flight, which takes some 2 % of the time of two calls."""
_LOOK_AGAIN_S = 0.5
"""Between two looks at a sample that another run is working on."""


class Annotator:
    """Runs a teacher over pending samples.

    `max_workers` samples are asked about or stored at a time. A teacher that sends requests finds a few more of
    them read and ready.
    """

    def __init__(
        self,
        workspace: Workspace,
        teacher: Teacher[Any],
        listener: Listener,
        *,
        max_workers: int,
        grace_s: float = GRACE_S,
        verifier: Verifier[Any] | None = None,
        is_held: Callable[[str], bool] | None = None,
        images: ImageReading | None = None,
    ):
        """`verifier` is needed if step 2 is pending; samples that `is_held` says wait elsewhere stay pending."""
        self._workspace, self._teacher, self._listener = workspace, teacher, listener
        self._max_workers = max_workers
        self._grace_s = grace_s
        self._verifier, self._is_held = verifier, is_held
        self._stop: RunStopped | None = None
        # held from a call's beginning until its result is durable: a kill costs no more than max_workers calls
        self._room = asyncio.Semaphore(max_workers)
        self._claims = Claims(workspace.results_dir)
        self._images = images or ImageReading(workspace, max_workers)
        self._failures_before = {
            step: results.store.failure_stamps() for step, results in workspace.results.items()
        }
        self._elsewhere: deque[PendingSample] = deque()
        """What other runs are working on."""
        self._waiting = False
        self._in_doubt: deque[tuple[float, PendingSample, SampleFailure]] = deque()
        """When each was refused. Failed once a call that began later has worked; pending if the run stops before."""

    def stop(self, reason: RunStopped) -> None:
        """Starts no further call; those in flight get the grace time, or all the time they take where the
        first reason lets them. Call it on the event loop.
        """
        if self._stop is None or (self._stop.lets_calls_finish and not reason.lets_calls_finish):
            self._stop = reason
            if not reason.lets_calls_finish:
                self._teacher.stop(reason)

    async def run(self, pending: Iterable[PendingSample]) -> None:
        """Annotates them all. What is finished is stored, whatever happens afterwards.

        Raises:
            RunStopped: going on cannot help; samples that were not reached stay pending.
        """
        queue = iter(pending)
        with self._claims:
            ahead = min(max(2, self._max_workers // _AHEAD), _MOST_AHEAD)
            if self._teacher.in_flight_limit is None:
                ahead = 0
            workers = {asyncio.create_task(self._work(queue)) for _ in range(self._max_workers + ahead)}
            try:
                await self._supervise(workers)
                if not self._stop:
                    await self._fail_those_in_doubt()
            finally:
                for worker in workers:
                    worker.cancel()
                await asyncio.gather(*workers, return_exceptions=True)
                self._images.close()
                for results in self._workspace.results.values():
                    await asyncio.to_thread(results.index.flush)
                await asyncio.to_thread(self._workspace.close_orders)
        if self._stop:
            raise self._stop

    async def _supervise(self, workers: set["asyncio.Task[None]"]) -> None:
        waiting = set(workers)
        deadline: float | None = None
        while waiting:
            await asyncio.to_thread(self._workspace.sync_now_and_then)
            timeout = 0.2 if deadline is None else min(0.2, deadline - time.monotonic())
            if timeout <= 0:
                return
            done, waiting = await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_EXCEPTION)
            for worker in done:
                error = worker.exception()
                if isinstance(error, RunStopped):
                    self.stop(error)
                elif error is not None:
                    raise error
            if self._stop and not self._stop.lets_calls_finish and deadline is None:
                deadline = time.monotonic() + self._grace_s

    async def _work(self, queue: Iterator[PendingSample]) -> None:
        for pending in queue:
            if self._stop:
                return
            if self._claims.take(pending.sample_id):
                await self._annotate(pending)
            else:
                self._elsewhere.append(pending)
        if self._elsewhere and not self._waiting:
            self._waiting = True
            self._listener.waiting(len(self._elsewhere))
        while self._elsewhere and not self._stop:
            pending = self._elsewhere.popleft()
            if self._claims.take(pending.sample_id):
                await self._annotate(pending)
            else:
                self._elsewhere.append(pending)
                await asyncio.sleep(_LOOK_AGAIN_S)

    async def _annotate(self, pending: PendingSample) -> None:
        self._listener.started(pending.sample_id)
        try:
            await self._do_missing(pending)
        finally:
            self._listener.finished(pending.sample_id)
        self._claims.give_up(pending.sample_id)  # not where this was cancelled: a file may be on its way

    async def _do_missing(self, pending: PendingSample) -> None:
        sample_id = pending.sample_id
        try:
            prepared = await self._images.read(self._prepared, pending)
            if prepared is None:
                return
            for step, found in prepared.found:
                self._listener.done(at_no_cost(found), step)
            if prepared.failure is not None:
                self._listener.failed(sample_id, prepared.steps[0], prepared.failure)
                return
            result = prepared.before
            for step in prepared.steps:
                if self._stop:
                    return
                if step is not prepared.steps[0] and not self._workspace.needs(sample_id, step):
                    result = await self._keep(sample_id, step)
                else:
                    result = await self._do(step, prepared, result)
        except Deferred:
            return
        except SampleFailure as failure:
            if failure.in_doubt:
                self._in_doubt.append((time.monotonic(), pending, failure))
            else:
                await self._fail(pending, failure)

    def _prepared(self, pending: PendingSample) -> PreparedSample | None:
        # the sample is claimed: whoever put it elsewhere has done so before
        if self._is_held is not None and self._is_held(pending.sample_id):
            return None
        return prepare_sample(self._workspace, self._teacher, pending, self._failures_before)

    async def _fail(self, pending: PendingSample, failure: SampleFailure) -> None:
        sample_id, workspace = pending.sample_id, self._workspace
        for step in workspace.missing(sample_id, pending.steps)[:1]:
            fingerprint = workspace.next_fingerprint(sample_id, step) or ""
            await asyncio.to_thread(workspace.step(step).store.save_failure, sample_id, fingerprint, failure)
            self._listener.failed(sample_id, step, failure)

    async def _fail_those_in_doubt(self, refused_before: float = float("inf")) -> None:
        while self._in_doubt and self._in_doubt[0][0] < refused_before:
            await self._fail(*self._in_doubt.popleft()[1:])

    async def _do(self, step: Step, prepared: PreparedSample, before: Checkpoint | None) -> Checkpoint | None:
        async with self._room:
            if self._stop:
                return None
            begun = time.monotonic()
            with asking(Asker(prepared.sample.sample_id, step, self._order_id(prepared, step))):
                result = await self._ask_and_store(step, prepared, before)
            if result is not None:
                await self._fail_those_in_doubt(refused_before=begun)
            return result

    def _order_id(self, prepared: PreparedSample, step: Step) -> str:
        order = self._workspace.redo.order_of(prepared.sample.sample_id, step)
        return order.order_id if order is not None else ""

    async def _ask_and_store(
        self, step: Step, prepared: PreparedSample, before: Checkpoint | None
    ) -> Checkpoint | None:
        if step is Step.EXTRACTION:
            return await self._extract(prepared)
        if before is None and step is Step.GROUNDING:
            before = await self._extract(prepared)  # retired by a run that redoes everything: made again
        if before is None:
            gone = f"Step {step.before}'s result has disappeared; run all steps again."
            raise SampleFailure(Reason.UNPARSABLE, gone)
        return await (
            self._ground(prepared, before) if step is Step.GROUNDING else self._verify(prepared, before)
        )

    async def _extract(self, prepared: PreparedSample) -> Checkpoint:
        result = await self._teacher.extract(prepared.image, prepared.sample.caption)
        sample = prepared.sample
        output = grounding_fingerprint(sample, result.cleaned_caption, result.expressions)
        fingerprint = self._workspace.samples.entries[sample.sample_id].fingerprint
        return await self._store(
            Step.EXTRACTION, prepared, result, result.cleaned_caption, fingerprint, output, prepared.size
        )

    async def _ground(self, prepared: PreparedSample, extraction: Checkpoint) -> Checkpoint:
        result = await ground_sample(self._workspace, self._teacher, prepared.image, extraction)
        caption, made_of = extraction.cleaned_caption, extraction.output_fingerprint
        return await self._store(Step.GROUNDING, prepared, result, caption, made_of, "", prepared.size)

    async def _verify(self, prepared: PreparedSample, grounding: Checkpoint) -> Checkpoint | None:
        """None if the run was stopped before the last question."""
        assert self._verifier is not None, "step 2 needs a verifier"
        photo = await self._images.read(self._verifier.prepare, prepared.image_file)
        fingerprint = grounding.next_fingerprint
        made_of = f"{fingerprint} {settings_fingerprint(self._verifier.provenance['settings'])}"
        journal = VerificationJournal(
            self._workspace.step(Step.VERIFICATION).store.step_dir, grounding.sample_id, made_of
        )
        result = await verify_sample(
            self._verifier, photo, grounding, journal, may_go_on=lambda: self._stop is None
        )
        if result is None:
            return None
        checkpoint = await self._store(
            Step.VERIFICATION, prepared, result, grounding.cleaned_caption, fingerprint, "", photo.image_size
        )
        journal.remove()
        return checkpoint

    async def _keep(self, sample_id: str, step: Step) -> Checkpoint | None:
        """A redone step came out as before: the one after it still stands, and costs this run nothing."""
        kept = await asyncio.to_thread(self._workspace.keep, sample_id, step)
        if kept is not None:
            self._listener.done(at_no_cost(kept), step)
        return kept

    async def _store(
        self,
        step: Step,
        prepared: PreparedSample,
        result: Extraction | Grounding | Verification,
        cleaned_caption: str,
        fingerprint: str,
        output_fingerprint: str,
        image_size: tuple[int, int],
    ) -> Checkpoint:
        provenance = dict(result.provenance)
        declared = prepared.sample.declared_size
        if declared and declared != image_size:
            provenance["declared_size"] = list(declared)
        checkpoint = Checkpoint(
            sample_id=prepared.sample.sample_id,
            fingerprint=fingerprint,
            output_fingerprint=output_fingerprint,
            settings_fingerprint=settings_fingerprint(provenance.get("settings", {})),
            cleaned_caption=cleaned_caption,
            expressions=tuple(result.expressions),
            image_size=image_size,
            provenance=provenance,
            replies=tuple(result.replies),
            image_stamp=prepared.image_stamp,
            order_id=self._order_id(prepared, step),
        )
        await asyncio.to_thread(self._workspace.store, checkpoint, step, prepared.steps[-1])
        self._listener.done(checkpoint, step)
        return checkpoint

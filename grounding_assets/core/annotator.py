"""The bounded asynchronous map over samples: prepare, extract, ground, store, count.

Retries and pacing are the teacher's; Dagster events are the listener's.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from grounding_assets.core.checkpoints import Checkpoint
from grounding_assets.core.errors import Reason, RunStopped, SampleFailure
from grounding_assets.core.fingerprint import grounding_fingerprint, settings_fingerprint
from grounding_assets.core.records import Expression, Extraction, Grounding, Sample, Verification
from grounding_assets.core.teacher import Teacher, TeacherImage
from grounding_assets.core.verification import verify_sample
from grounding_assets.core.verification_journal import VerificationJournal
from grounding_assets.core.verifier import Verifier
from grounding_assets.core.workspace import STEP_BEFORE, PendingSample, Workspace

GRACE_S = 10.0
"""How long calls in flight may go on after a stop, in seconds."""


class Listener(Protocol):
    """Hears of each outcome once it is durable. Called on the event loop: must not block."""

    def started(self, sample_id: str) -> None: ...
    def done(self, checkpoint: Checkpoint, step: str) -> None: ...
    def failed(self, sample_id: str, step: str, failure: SampleFailure) -> None: ...
    def finished(self, sample_id: str) -> None: ...


@dataclass(frozen=True, slots=True)
class _Prepared:
    sample: Sample
    image: TeacherImage | None
    """None where no step of the teacher's is to be done."""
    before: Checkpoint | None
    """The stored result of the step before the first one that is to be done."""


class Annotator:
    """Runs a teacher over pending samples, `max_workers` samples at a time."""

    def __init__(
        self,
        workspace: Workspace,
        teacher: Teacher[Any],
        listener: Listener,
        *,
        max_workers: int,
        grace_s: float = GRACE_S,
        verifier: Verifier[Any] | None = None,
    ):
        """`verifier` is needed where step 2 is pending."""
        self._workspace = workspace
        self._teacher = teacher
        self._listener = listener
        self._max_workers = max_workers
        self._grace_s = grace_s
        self._verifier = verifier
        self._stop: RunStopped | None = None

    def stop(self, reason: RunStopped) -> None:
        """Starts no further call; those in flight get the grace time, or all the time they take where the
        first reason lets them. Call it on the event loop.
        """
        if self._stop is None or (self._stop.lets_calls_finish and not reason.lets_calls_finish):
            self._stop = reason

    async def run(self, pending: Iterable[PendingSample]) -> None:
        """Annotates them all. What is finished is stored, whatever happens afterwards.

        Raises:
            RunStopped: going on cannot help; samples that were not reached stay pending.
        """
        queue = iter(pending)
        workers = {asyncio.create_task(self._work(queue)) for _ in range(self._max_workers)}
        try:
            await self._supervise(workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            for results in self._workspace.results.values():
                await asyncio.to_thread(results.index.flush)
        if self._stop:
            raise self._stop

    async def _supervise(self, workers: set["asyncio.Task[None]"]) -> None:
        waiting = set(workers)
        deadline: float | None = None
        while waiting:
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
            self._listener.started(pending.sample_id)
            try:
                await self._annotate(pending)
            finally:
                self._listener.finished(pending.sample_id)

    async def _annotate(self, pending: PendingSample) -> None:
        sample_id, step = pending.sample_id, pending.steps[0]
        try:
            prepared = await asyncio.to_thread(self._prepare, pending)
            result = prepared.before
            for step in pending.steps:
                if self._stop:
                    return
                if step != pending.steps[0] and self._workspace.is_done(sample_id, step):
                    result = await self._keep(sample_id, step)
                else:
                    result = await self._do(step, prepared, result)
        except SampleFailure as failure:
            fingerprint = self._workspace.input_fingerprint(sample_id, step) or ""
            store = self._workspace.step(step).store
            await asyncio.to_thread(store.save_failure, sample_id, fingerprint, failure)
            self._listener.failed(sample_id, step, failure)

    def _prepare(self, pending: PendingSample) -> _Prepared:
        sample = self._workspace.samples.read(pending.sample_id)
        image = None
        if pending.steps != ("2",):
            image = self._teacher.prepare(self._workspace.image_file(sample))
        step_before = STEP_BEFORE.get(pending.steps[0])
        before = self._workspace.step(step_before).store.load(pending.sample_id) if step_before else None
        return _Prepared(sample, image, before)

    async def _do(self, step: str, prepared: _Prepared, before: Checkpoint | None) -> Checkpoint | None:
        if step == "0":
            return await self._extract(prepared)
        if before is None:
            raise SampleFailure(
                Reason.UNPARSABLE, f"Step {STEP_BEFORE[step]}'s result has disappeared; run all steps again."
            )
        return await (self._ground(prepared, before) if step == "1" else self._verify(prepared, before))

    async def _extract(self, prepared: _Prepared) -> Checkpoint:
        result = await self._teacher.extract(prepared.image, prepared.sample.caption)
        sample = prepared.sample
        output = grounding_fingerprint(sample, result.cleaned_caption, result.expressions)
        fingerprint = self._workspace.samples.entries[sample.sample_id].fingerprint
        return await self._store(
            "0", prepared, result, result.cleaned_caption, fingerprint, output, _size(prepared)
        )

    async def _ground(self, prepared: _Prepared, extraction: Checkpoint) -> Checkpoint:
        caption, expressions = extraction.cleaned_caption, extraction.expressions
        result = await self._teacher.ground(prepared.image, caption, expressions)
        _check_same(expressions, result.expressions)
        return await self._store(
            "1", prepared, result, caption, extraction.output_fingerprint, "", _size(prepared)
        )

    async def _verify(self, prepared: _Prepared, grounding: Checkpoint) -> Checkpoint | None:
        """None where the run was stopped before the last question."""
        if self._verifier is None:
            raise AssertionError("step 2 needs a verifier")
        photo = await asyncio.to_thread(self._verifier.prepare, self._workspace.image_file(prepared.sample))
        fingerprint = grounding.next_fingerprint
        made_of = f"{fingerprint} {settings_fingerprint(self._verifier.provenance['settings'])}"
        journal = VerificationJournal(self._workspace.step("2").store.step_dir, grounding.sample_id, made_of)
        result = await verify_sample(
            self._verifier, photo, grounding, journal, may_go_on=lambda: self._stop is None
        )
        if result is None:
            return None
        checkpoint = await self._store(
            "2", prepared, result, grounding.cleaned_caption, fingerprint, "", photo.image_size
        )
        journal.remove()
        return checkpoint

    async def _keep(self, sample_id: str, step: str) -> Checkpoint | None:
        """A redone step came out as before: the one after it still stands, and costs this run nothing."""
        kept = await asyncio.to_thread(self._workspace.step(step).store.load, sample_id)
        if kept is not None:
            free = {"calls": 0, "attempts": 0, "tokens_in": 0, "tokens_out": 0, "seconds": 0.0}
            self._listener.done(replace(kept, provenance={**kept.provenance, **free}), step)
        return kept

    async def _store(
        self,
        step: str,
        prepared: _Prepared,
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
        )
        results = self._workspace.step(step)
        await asyncio.to_thread(_save, results.store.save, results.index.note, checkpoint)
        self._listener.done(checkpoint, step)
        return checkpoint


def _size(prepared: _Prepared) -> tuple[int, int]:
    assert prepared.image is not None
    return prepared.image.image_size


def _save(save: Any, note: Any, checkpoint: Checkpoint) -> None:
    save(checkpoint)
    note(checkpoint)


def _check_same(asked: Sequence[Expression], answered: Sequence[Expression]) -> None:
    if [(e.text, e.char_span) for e in asked] != [(e.text, e.char_span) for e in answered]:
        raise AssertionError("a teacher must return the expressions it was asked about, in order")

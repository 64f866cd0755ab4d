"""Takes the pending samples of a run through its steps: teacher, verifier and batch jobs, brought together."""

from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any

from grounding_assets.assets.planning import require_open_gates
from grounding_assets.assets.run_listener import RunListener
from grounding_assets.assets.signals import stopping_on_signals
from grounding_assets.core.annotation.annotator import GRACE_S, Annotator
from grounding_assets.core.annotation.image_reading import ImageReading
from grounding_assets.core.annotation.teacher import Teacher
from grounding_assets.core.annotation.verifier import Verifier
from grounding_assets.core.batch.held_samples import Held
from grounding_assets.core.batch.journal import held_samples, read_jobs
from grounding_assets.core.dataset.workspace import PendingSample
from grounding_assets.core.errors import BoxesInDoubt, GroundingError, Interrupted
from resources.dataset import DataSet
from resources.vlm.doubtful_boxes import has_unconfirmed_boxes, set_doubtful_aside
from resources.vlm.session import not_told
from resources.vlm.shared_pictures import (
    SharingTeacher,
    after_extractions,
    extractions_first,
    sharing_groups,
)
from resources.vlm.sharing_measured import shares_pictures

if TYPE_CHECKING:
    from resources.vlm.batch.batching import Batching


def annotate_pending(
    dataset: DataSet, pending: list[PendingSample], listener: RunListener, *, whole_set: bool = True
) -> GroundingError | None:
    """Annotates; returns the error that ended it early, which is raised once all is reported.

    `whole_set`: gates are for a run over the whole set, not for chosen samples.
    """
    try:
        if pending and whole_set:
            require_open_gates(dataset)
        held = held_samples(dataset.results_dir, read_jobs(dataset.results_dir))
        if held and not dataset.spec.vlm.batch.is_on:
            pending, held = _without_held(held, pending, listener), set()
        if pending or held:
            _ask(dataset, _Annotation(dataset, pending, listener).work, listener)
        elif has_unconfirmed_boxes(dataset.spec, dataset.results_dir):
            _confirm(dataset, listener)
    except GroundingError as error:
        return error
    return None


def _ask(
    dataset: DataSet,
    work: Callable[[Teacher[Any]], Coroutine[Any, Any, None]],
    listener: RunListener,
    *,
    confirms: bool = False,
) -> None:
    try:
        dataset.with_teacher(work, listener.notice, listener.warn, confirms=confirms)
    except BoxesInDoubt as doubt:
        workspace = dataset.workspace().refresh()
        aside = set_doubtful_aside(dataset.spec, dataset.results_dir, workspace, doubt)
        for sample_id, was_done in aside.items():
            listener.taken_back(sample_id, str(doubt), was_done=was_done)
        raise


def _confirm(dataset: DataSet, listener: RunListener) -> None:
    """Of a run that ended before it could ask whether its last boxes were right, and left nothing else to do."""

    async def nothing(teacher: Teacher[Any]) -> None: ...

    try:
        _ask(dataset, nothing, listener, confirms=True)
    except (BoxesInDoubt, Interrupted):
        raise
    except GroundingError as trouble:
        if set_doubtful_aside(dataset.spec, dataset.results_dir, dataset.workspace()):
            # it was measured anew, and contradicts what the boxes were read by
            raise
        listener.warn(not_told(trouble))


class _Annotation:
    """The work on a run's pending samples, in one event loop."""

    def __init__(self, dataset: DataSet, pending: list[PendingSample], listener: RunListener):
        self._dataset, self._pending, self._listener = dataset, pending, listener
        self._workspace = dataset.workspace()

    async def work(self, teacher: Teacher[Any]) -> None:
        dataset, listener = self._dataset, self._listener
        async with dataset.verifier(teacher) as verifier:
            jobs: Batching | None = None
            try:
                async with dataset.by_batch(teacher, listener.notice, listener.warn) as jobs:
                    if self._shares_pictures():
                        await self._sharing_pictures(teacher, verifier)
                    else:
                        await self._each(teacher, verifier, jobs, self._in_order(jobs))
            finally:
                if jobs is not None:
                    listener.waits_for(jobs.waiting, jobs.words())

    def _shares_pictures(self) -> bool:
        shares, why = shares_pictures(self._dataset.spec, self._dataset.results_dir)
        if why:
            self._listener.notice(why)
        return shares

    def _in_order(self, jobs: "Batching | None") -> Iterator[PendingSample]:
        """Each is let go once it is begun: at 100,000 samples that is room for 20 images."""
        pending = self._pending
        if jobs is not None:
            return iter(jobs.ordered(pending, self._workspace))
        pending.reverse()
        return (pending.pop() for _ in range(len(pending)))

    async def _sharing_pictures(self, teacher: Teacher[Any], verifier: Verifier[Any] | None) -> None:
        """All of step 0 first: what a picture is asked about is known only then."""
        first = extractions_first(self._workspace, self._pending)
        if first:
            await self._each(teacher, verifier, None, iter(first))
        rest = after_extractions(self._workspace, self._pending, first)
        sharing = SharingTeacher(teacher, self._workspace, sharing_groups(self._workspace, rest))
        try:
            await self._each(sharing, verifier, None, iter(rest))
        finally:
            await sharing.aclose()

    async def _each(
        self,
        teacher: Teacher[Any],
        verifier: Verifier[Any] | None,
        jobs: "Batching | None",
        samples: Iterator[PendingSample],
    ) -> None:
        workflow = self._dataset.spec.workflow
        annotator = Annotator(
            self._workspace,
            teacher,
            jobs.heard_by(self._listener) if jobs else self._listener,
            max_workers=workflow.max_workers,
            verifier=verifier,
            is_held=None if jobs else Held(self._dataset.results_dir),
            images=ImageReading(
                self._workspace, workflow.max_workers, workflow.patience, self._listener.notice
            ),
        )
        self._listener.in_flight_limit = lambda: teacher.in_flight_limit

        def stop(reason: Interrupted) -> None:
            annotator.stop(reason)
            teacher.stop(reason)
            self._listener.stopping(GRACE_S)

        self._listener.annotating()
        with stopping_on_signals(stop):
            await annotator.run(samples)


def _without_held(held: set[str], pending: list[PendingSample], listener: RunListener) -> list[PendingSample]:
    """Without samples whose requests are in batch jobs, which are paid for."""
    free = [one for one in pending if one.sample_id not in held]
    if len(free) == len(pending):
        return free
    listener.notice(
        f"{len(pending) - len(free)} samples wait for batch jobs and are left to them: collect those with "
        "image_grounding.vlm.batch.mode=on, or give them up with `auto_label batch cancel`."
    )
    return free

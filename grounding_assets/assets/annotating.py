"""Takes the pending samples of a run through its steps: teacher, verifier and batch jobs, brought together."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from grounding_assets.assets.reporting import DagsterListener
from grounding_assets.assets.signals import stopping_on_signals
from grounding_assets.core.annotation.annotator import GRACE_S, Annotator
from grounding_assets.core.annotation.teacher import Teacher
from grounding_assets.core.annotation.verifier import Verifier
from grounding_assets.core.batch.held import Held
from grounding_assets.core.batch.journal import held_samples
from grounding_assets.core.dataset.workspace import PendingSample, Workspace
from grounding_assets.core.errors import GroundingError, Interrupted
from resources.dataset import DataSet
from resources.vlm.shared_pictures import (
    SharingTeacher,
    after_extractions,
    extractions_first,
    sharing_groups,
)

if TYPE_CHECKING:
    from resources.vlm.batch.batching import Batching


def annotate_pending(
    dataset: DataSet,
    workspace: Workspace,
    pending: list[PendingSample],
    listener: DagsterListener,
    notice: Callable[[str], None],
    warn: Callable[[str], None],
) -> GroundingError | None:
    """Annotates; returns the error that ended it early, which is raised once all is reported."""
    held = held_samples(dataset.results_dir)
    if held and not dataset.spec.vlm.batch.is_on:
        pending, held = _without_held(held, pending, notice), set()
    if not pending and not held:
        return None
    pending.reverse()

    async def work(teacher: Teacher[Any]) -> None:
        async with dataset.verifier(teacher) as verifier:
            jobs: Batching | None = None
            try:
                async with dataset.by_batch(teacher, notice) as jobs:
                    await annotate(teacher, verifier, jobs)
            finally:
                if jobs is not None:
                    listener.waits_for(jobs.waiting, jobs.words())

    async def annotate(
        teacher: Teacher[Any], verifier: Verifier[Any] | None, jobs: "Batching | None"
    ) -> None:
        if dataset.spec.workflow.share_pictures == "on":
            await annotate_sharing(teacher, verifier)
            return
        # each is let go once it is begun: at 100,000 samples that is room for 20 images
        each = (pending.pop() for _ in range(len(pending)))
        await annotate_each(teacher, verifier, jobs, jobs.ordered(list(each), workspace) if jobs else each)

    async def annotate_sharing(teacher: Teacher[Any], verifier: Verifier[Any] | None) -> None:
        """All of step 0 first: what a picture is asked about is known only then."""
        everything = pending[::-1]
        first = extractions_first(workspace, everything)
        if first:
            await annotate_each(teacher, verifier, None, iter(first))
        rest = after_extractions(workspace, everything, first)
        sharing = SharingTeacher(teacher, workspace, sharing_groups(workspace, rest))
        try:
            await annotate_each(sharing, verifier, None, iter(rest))
        finally:
            await sharing.aclose()

    async def annotate_each(
        teacher: Teacher[Any],
        verifier: Verifier[Any] | None,
        jobs: "Batching | None",
        samples: Iterator[PendingSample],
    ) -> None:
        annotator = Annotator(
            workspace,
            teacher,
            jobs.heard_by(listener) if jobs else listener,
            max_workers=dataset.spec.workflow.max_workers,
            verifier=verifier,
            is_held=None if jobs else Held(dataset.results_dir),
        )
        listener.in_flight_limit = lambda: teacher.in_flight_limit

        def stop(reason: Interrupted) -> None:
            annotator.stop(reason)
            teacher.stop(reason)
            listener.stopping(GRACE_S)

        listener.annotating()
        with stopping_on_signals(stop):
            await annotator.run(samples)

    try:
        dataset.with_teacher(work, notice, warn)
    except GroundingError as error:
        return error
    return None


def _without_held(
    held: set[str], pending: list[PendingSample], notice: Callable[[str], None]
) -> list[PendingSample]:
    """Without samples whose requests are in batch jobs, which are paid for."""
    free = [one for one in pending if one.sample_id not in held]
    notice(
        f"{len(pending) - len(free)} samples wait for batch jobs and are left to them: collect those with "
        "image_grounding.vlm.batch.mode=on, or give them up with `auto_label batch cancel`."
    )
    return free

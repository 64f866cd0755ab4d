"""Everything that a results folder holds, in one place: where each file lies and what is in it."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from grounding_assets.core.dataset.image_changes import ImageChanges
from grounding_assets.core.dataset.redo_orders import RedoOrders
from grounding_assets.core.dataset.samples import SampleIndex
from grounding_assets.core.dataset.staged_results import StagedResults
from grounding_assets.core.images.locations import ImageLocation, ImageRoot
from grounding_assets.core.records import Sample
from grounding_assets.core.steps import Step
from grounding_assets.core.store.checkpoint import Checkpoint
from grounding_assets.core.store.checkpoint_index import StepResults
from grounding_assets.core.store.compact_dict import pack_digest, unpack_digest

_SYNC_S = 1.0
"""Between two syncs of the folders."""


@dataclass(frozen=True, slots=True)
class PendingSample:
    sample_id: str
    steps: tuple[Step, ...]
    """The steps still to do, in order."""


class Workspace:
    """A data set and its results: which samples there are, and how far each one is.

    A step of a sample is *done* where it has a result of its input and image as they are; that is what output files
    show. It *needs* work where it is not done, or is to be redone: a result that is being redone stays done until
    its successor takes its place.
    """

    def __init__(
        self,
        samples: SampleIndex,
        results_dir: Path,
        image_root: ImageRoot,
        settings: Mapping[Step, str] | None = None,
    ):
        """`settings`: digest by step of those of this run, see `RedoOrders`."""
        self.samples = samples
        self.results_dir = results_dir
        self.image_root = image_root
        self.join_image_root = False
        """Whether output files have each `image_path` with `image_root` before it."""
        self.results = {step: StepResults(results_dir, step, samples.numbering) for step in Step}
        self.settings = settings or {}
        self.redo = RedoOrders(results_dir, settings)
        self.staged = StagedResults(self.results)
        self.images = ImageChanges(self.results)
        self._synced = time.monotonic()

    @property
    def extractions(self) -> StepResults:
        return self.results[Step.EXTRACTION]

    @property
    def groundings(self) -> StepResults:
        return self.results[Step.GROUNDING]

    def step(self, step: Step) -> StepResults:
        return self.results[step]

    def refresh(self) -> "Workspace":
        """Brings what is known of the results in line with the disk."""
        for results in self.results.values():
            results.index.refresh()
        self.redo.load()
        self.staged.refresh(self.is_wanted)
        self.images.refresh(self.samples, lambda sample_id: self.image_file(self.samples.read(sample_id)))
        self.close_orders()
        return self

    def image_file(self, sample: Sample) -> ImageLocation:
        return self.image_root / sample.image_path

    def input_fingerprint(self, sample_id: str, step: Step) -> str | None:
        """Digest of the step's input as it is now; None if the step before has no current result."""
        packed = self._packed_input(sample_id, step)
        return None if packed is None else unpack_digest(packed, 0)[0]

    def next_fingerprint(self, sample_id: str, step: Step) -> str | None:
        """Digest of the input that the next attempt at the step is made from: of a redone one, where there is one."""
        packed = self._packed_next_input(sample_id, step)
        return None if packed is None else unpack_digest(packed, 0)[0]

    def is_done(self, sample_id: str, step: Step) -> bool:
        """Whether the step has a result, and neither its input nor its image has changed since."""
        digests = self.results[step].index.packed_digests(sample_id)
        return (
            digests is not None
            and digests[0] == self._packed_input(sample_id, step)
            and not self.images.has_changed(sample_id, step)
        )

    def shown_step(self, sample_id: str, step: Step) -> Step | None:
        """The step whose result the step's output file shows of a sample; None if it has no line there.

        A sample that is not verified yet stands in the output of verification with its boxes, and without verdicts.
        """
        if self.is_done(sample_id, step):
            return step
        before = step.before if step.asks_verifier else None
        return before if before is not None and self.is_done(sample_id, before) else None

    def needs(self, sample_id: str, step: Step) -> bool:
        """Whether a run has something to do."""
        if self.staged.has(sample_id, step):
            return False
        digests = self.results[step].index.packed_digests(sample_id)
        return (
            digests is None
            or digests[0] != self._packed_next_input(sample_id, step)
            or self.images.has_changed(sample_id, step)
            or self.is_to_redo(sample_id, step)
        )

    def is_to_redo(self, sample_id: str, step: Step) -> bool:
        """Whether there is a result that an order of this run's settings wants to be made again."""
        index = self.results[step].index
        order = self.redo.order_of(sample_id, step) if self.redo.open else None
        if order is None or sample_id not in index.entries or self.staged.has(sample_id, step):
            return False
        return index.order_id(sample_id) != order.order_id

    def store(self, checkpoint: Checkpoint, step: Step, last: Step) -> None:
        """Stores a new result; `last` is the last step that the run does for its sample. Thread-safe.

        In a redo, what comes before `last` waits beside the old results until all can be replaced.

        Raises:
            RunStopped: it cannot be written.
        """
        self.redo.write_down()
        checkpoint = replace(checkpoint, made_ns=time.time_ns())
        sample_id, results = checkpoint.sample_id, self.results[step]
        if checkpoint.order_id and step is not last and self.is_done(sample_id, last):
            results.store.stage(checkpoint)
            self.staged.note(checkpoint, step)
            return
        results.index.save(checkpoint)
        self.images.forget(sample_id, step)
        self.staged.promote_before(sample_id, step)

    def keep(self, sample_id: str, step: Step) -> Checkpoint | None:
        """The result of a step that need not be made again after a redo of the step before; None if it has gone."""
        self.staged.promote_before(sample_id, step)
        return self.results[step].store.load(sample_id)

    def restore(self, checkpoint: Checkpoint, step: Step) -> None:
        """Puts an earlier result back in its place, where no order given so far redoes it again."""
        order = self.redo.latest(checkpoint.sample_id, step)
        order_id = order.order_id if order is not None else checkpoint.order_id
        self.results[step].index.save(replace(checkpoint, order_id=order_id))

    def sync_now_and_then(self) -> None:
        """At most once a second: makes all that was stored so far survive a power cut.

        Raises:
            RunStopped: a folder cannot be synced.
        """
        if time.monotonic() - self._synced > _SYNC_S:
            for results in self.results.values():
                results.store.sync()
            self._synced = time.monotonic()

    def close_orders(self) -> None:
        """Forgets orders of which nothing is left to redo."""
        finished = [
            order
            for order in self.redo.open
            if not any(
                self.redo.latest(sample_id, step) is order
                and sample_id in self.samples.entries
                and sample_id in self.results[step].index.entries
                and self.results[step].index.order_id(sample_id) != order.order_id
                for step in order.settings
                for sample_id in order.sample_ids
            )
        ]
        self.redo.close(finished)

    def is_wanted(self, checkpoint: Checkpoint, step: Step) -> bool:
        """Whether a staged result may still take its place."""
        order = self.redo.latest(checkpoint.sample_id, step)
        return (
            checkpoint.sample_id in self.samples.entries
            and order is not None
            and order.order_id == checkpoint.order_id
            and self.next_fingerprint(checkpoint.sample_id, step) == checkpoint.fingerprint
        )

    def _packed_input(self, sample_id: str, step: Step) -> bytes | None:
        before = step.before
        if before is None:
            return self.samples.packed_fingerprint(sample_id)
        made = self.results[before].index.packed_digests(sample_id)
        if (
            made is None
            or made[0] != self._packed_input(sample_id, before)
            or self.images.has_changed(sample_id, before)
        ):
            return None
        return made[1]

    def _packed_next_input(self, sample_id: str, step: Step) -> bytes | None:
        before = step.before
        staged = self.staged.output(sample_id, before) if before is not None else None
        return self._packed_input(sample_id, step) if staged is None else pack_digest(staged)

    def stamp(self, sample_id: str, step: Step) -> int:
        """Another one if the step's result is another, or is no longer current since its image changed."""
        return 0 if self.images.has_changed(sample_id, step) else self.results[step].index.stamp(sample_id)

    def made_with_other_settings(
        self, sample_ids: Sequence[str], step: Step, settings_fingerprint: str
    ) -> int:
        """How many of the samples have a current result of the step that other settings made."""
        made = self.settings_of_results(sample_ids, step)
        return made.total() - made[settings_fingerprint]

    def settings_of_results(self, sample_ids: Iterable[str], step: Step) -> Counter[str]:
        """How many of the samples have a current result of the step, by the fingerprint of the settings that made it."""
        made, index = Counter[bytes](), self.results[step].index
        for sample_id in sample_ids:
            digests = index.packed_digests(sample_id)
            if digests is not None and digests[0] == self._packed_input(sample_id, step):
                made[digests[2]] += 1
        return Counter({unpack_digest(packed, 0)[0]: count for packed, count in made.items()})

    def pending(self, sample_ids: Sequence[str], steps: Sequence[Step]) -> Iterator[PendingSample]:
        """Which of the samples lack a current result of which of the steps, or are to be redone."""
        # one tuple for all samples that lack the same
        shared: dict[tuple[Step, ...], tuple[Step, ...]] = {}
        for sample_id in sample_ids:
            missing = self.missing(sample_id, steps)
            if missing:
                yield PendingSample(sample_id, shared.setdefault(missing, missing))

    def missing(self, sample_id: str, steps: Sequence[Step]) -> tuple[Step, ...]:
        """Those of the steps to work on, in order: from the first that needs it on, since it may change the others."""
        if not self.redo.open and self.staged.is_empty and self.is_done(sample_id, steps[-1]):
            # as nearly all samples are when a run begins again; a step is done only if those before it are
            return ()
        for number, step in enumerate(steps):
            if self.needs(sample_id, step):
                return tuple(steps[number:])
        return ()

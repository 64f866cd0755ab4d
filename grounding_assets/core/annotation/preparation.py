"""What is still to be done for a sample, and what is needed for it: read in one go, off the event loop."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grounding_assets.core.annotation.teacher import Teacher, TeacherImage
from grounding_assets.core.dataset.workspace import PendingSample, Workspace
from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.files import short_file_stamp
from grounding_assets.core.images.locations import ImageLocation
from grounding_assets.core.records import Sample
from grounding_assets.core.steps import Step
from grounding_assets.core.store.checkpoint import Checkpoint


@dataclass(frozen=True, slots=True)
class PreparedSample:
    sample: Sample
    image: TeacherImage | None
    """None if no step of the teacher's is to be done."""
    image_file: ImageLocation
    file_stamp: int
    """Of a file of this machine just before it was read."""
    before: Checkpoint | None
    """The stored result of the step before the first one that is to be done."""
    steps: tuple[Step, ...]
    """What is still to be done."""
    found: tuple[tuple[Step, Checkpoint], ...] = ()
    """What another run has done since this one was planned, by step."""
    failure: SampleFailure | None = None
    """Why another run has failed in the first of the steps since this one began."""

    @property
    def image_stamp(self) -> int:
        """Of the image that was read, see `Checkpoint.image_stamp`."""
        return self.file_stamp if isinstance(self.image_file, Path) else self.image_file.read_stamp

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels of the upright original, which a step of the teacher's has read."""
        assert self.image is not None
        return self.image.image_size


def prepare_sample(
    workspace: Workspace,
    teacher: Teacher[Any],
    pending: PendingSample,
    failures_before: Mapping[Step, Mapping[str, int]],
) -> PreparedSample:
    """Looks at the disk again, takes over what another run has made since this one was planned, and reads the rest.

    `failures_before` are the stamps of the failures that were there when this run began.

    Raises:
        SampleFailure: the image cannot be used.
        InputError: the input was changed.
        RunStopped: a checkpoint cannot be read.
    """
    sample_id = pending.sample_id
    sample = workspace.samples.read(sample_id)
    looked = [(step, _look_again(workspace, sample_id, step)) for step in pending.steps]
    missing = workspace.missing(sample_id, pending.steps)
    found = tuple((step, made) for step, made in looked if made is not None and step not in missing)
    failure = _failure_elsewhere(workspace, sample_id, missing[0], failures_before) if missing else None
    image, image_file = None, workspace.image_file(sample)
    file_stamp = short_file_stamp(image_file) if isinstance(image_file, Path) else 0
    if failure is None and any(not step.asks_verifier for step in missing):
        image = teacher.prepare(image_file)
    before = _result_before(workspace, sample_id, missing[0]) if missing else None
    return PreparedSample(sample, image, image_file, file_stamp, before, missing, found, failure)


def _look_again(workspace: Workspace, sample_id: str, step: Step) -> Checkpoint | None:
    """What another run has made of the step since this one last looked, which is not made again."""
    if workspace.redo.open:
        workspace.staged.look_again(sample_id, step, workspace.is_wanted)
    index = workspace.step(step).index
    made = index.look_again(sample_id)
    order = workspace.redo.latest(sample_id, step)
    if made is not None and order is not None:
        index.amend(sample_id, order_id=order.order_id)
    return made


def _result_before(workspace: Workspace, sample_id: str, step: Step) -> Checkpoint | None:
    """What the step is made from: the redone result of the step before, if there is one."""
    if step.before is None:
        return None
    store = workspace.step(step.before).store
    return (
        store.load_staged(sample_id)
        if workspace.staged.has(sample_id, step.before)
        else store.load(sample_id)
    )


def _failure_elsewhere(
    workspace: Workspace, sample_id: str, step: Step, failures_before: Mapping[Step, Mapping[str, int]]
) -> SampleFailure | None:
    """What another run has just been told about the same input: asking again would cost the same again."""
    store = workspace.step(step).store
    # told by the file, not by its date: clocks are set
    if store.failure_stamp(sample_id) == failures_before[step].get(sample_id, 0):
        return None
    row = store.load_failure(sample_id)
    if row is None or row.get("fingerprint") != workspace.next_fingerprint(sample_id, step):
        return None
    return SampleFailure(Reason(row["reason"]), row["message"])

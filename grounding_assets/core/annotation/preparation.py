"""What is still to be done for a sample, and what is needed for it: read in one go, off the event loop."""

from dataclasses import dataclass
from typing import Any

from grounding_assets.core.annotation.teacher import Teacher, TeacherImage
from grounding_assets.core.dataset.workspace import STEP_BEFORE, PendingSample, Workspace
from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.records import Sample
from grounding_assets.core.store.checkpoint import Checkpoint


@dataclass(frozen=True, slots=True)
class PreparedSample:
    sample: Sample
    image: TeacherImage | None
    """None where no step of the teacher's is to be done."""
    before: Checkpoint | None
    """The stored result of the step before the first one that is to be done."""
    steps: tuple[str, ...]
    """What is still to be done."""
    found: tuple[tuple[str, Checkpoint], ...] = ()
    """What another run has done since this one was planned, by step."""
    failure: SampleFailure | None = None
    """Why another run has failed in the first of the steps since this one began."""


def prepare_sample(
    workspace: Workspace, teacher: Teacher[Any], pending: PendingSample, since: str
) -> PreparedSample:
    """Looks at the disk again, takes over what another run has made `since`, and reads the rest.

    `since` is the beginning of this run, dated as failures are.

    Raises:
        SampleFailure: the image cannot be used.
        InputError: the input was changed.
        RunStopped: a checkpoint cannot be read.
    """
    sample_id = pending.sample_id
    sample = workspace.samples.read(sample_id)
    looked = [(step, workspace.step(step).index.look_again(sample_id)) for step in pending.steps]
    missing = missing_steps(workspace, pending)
    found = tuple((step, made) for step, made in looked if made is not None and step not in missing)
    failure = _failure_elsewhere(workspace, sample_id, missing[0], since) if missing else None
    image = None
    if failure is None and missing not in ((), ("2",)):
        image = teacher.prepare(workspace.image_file(sample))
    step_before = STEP_BEFORE.get(missing[0]) if missing else None
    before = workspace.step(step_before).store.load(sample_id) if step_before else None
    return PreparedSample(sample, image, before, missing, found, failure)


def missing_steps(workspace: Workspace, pending: PendingSample) -> tuple[str, ...]:
    """The pending steps that are still not done, in order."""
    return tuple(step for step in pending.steps if not workspace.is_done(pending.sample_id, step))


def _failure_elsewhere(workspace: Workspace, sample_id: str, step: str, since: str) -> SampleFailure | None:
    """What another run has just been told about the same input: asking again would cost the same again."""
    row = workspace.step(step).store.load_failure(sample_id)
    if row is None or row.get("fingerprint") != workspace.input_fingerprint(sample_id, step):
        return None
    # what may be older, to the millisecond, is tried again
    if str(row.get("time", "")) <= since:
        return None
    return SampleFailure(Reason(row["reason"]), row["message"])

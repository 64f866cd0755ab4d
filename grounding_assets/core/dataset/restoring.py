"""Results that were replaced, brought back without a call; what they replace is kept aside in turn."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.steps import Step
from grounding_assets.core.store.checkpoint import Checkpoint
from grounding_assets.core.store.sample_locks import Claims


@dataclass(frozen=True, slots=True)
class Restorable:
    """The last result of one step of one sample that was replaced, and can be shown again."""

    sample_id: str
    step: Step
    replaced: str
    """When it was replaced, as its folder is named."""
    checkpoint: Checkpoint


def restorable(
    workspace: Workspace, steps: Sequence[Step], sample_ids: Sequence[str], replaced: str = ""
) -> Iterator[Restorable]:
    """What restoring would bring back, in input order; a step after a restored one is read as made from it.

    Only results of the input as it is are told: those of another caption cannot be shown.

    Args:
        replaced: the folder to bring back from; empty: for each result the last one.
    """
    for sample_id in sample_ids:
        output: str | None = None
        for step in Step:
            wanted = workspace.input_fingerprint(sample_id, step) if output is None else output
            output = None
            found = _last_of(workspace, sample_id, step, wanted, replaced) if step in steps else None
            if found is not None:
                output = found.checkpoint.next_fingerprint
                yield found


def restore(workspace: Workspace, wanted: Sequence[Restorable]) -> int:
    """Puts results back in their places; returns how many. What another run is working on is left to it.

    Raises:
        RunStopped: a result cannot be written.
    """
    restored = 0
    with Claims(workspace.results_dir) as claims:
        for one in wanted:
            if not claims.take(one.sample_id):
                continue
            workspace.restore(one.checkpoint, one.step)
            claims.give_up(one.sample_id)
            restored += 1
    for step in Step:
        workspace.step(step).index.flush()
    return restored


def _last_of(
    workspace: Workspace, sample_id: str, step: Step, fingerprint: str | None, replaced: str
) -> Restorable | None:
    store = workspace.step(step).store
    current = store.load(sample_id)
    for file in store.retired(sample_id):
        if replaced and file.parent.name != replaced:
            continue
        checkpoint = store.load_file(file, sample_id)
        if checkpoint is not None and checkpoint.fingerprint == fingerprint and checkpoint != current:
            return Restorable(sample_id, step, file.parent.name, checkpoint)
    return None

"""Boxes that turn out to be doubtful after they were stored: they are kept aside, and their samples have failed."""

from collections.abc import Iterator, Mapping, Sequence

from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.errors import SampleFailure
from grounding_assets.core.steps import Step
from grounding_assets.core.store.checkpoint import Checkpoint
from grounding_assets.core.store.checkpoint_index import StepResults
from grounding_assets.core.store.sample_locks import Claims

Times = Sequence[tuple[int, int]]
"""(since, until), in nanoseconds since 1970."""


def set_aside(
    workspace: Workspace, settings: Mapping[Step, str], times: Times, failure: SampleFailure
) -> Iterator[str]:
    """Sets boxes aside that were made with these settings (digests by step) at these times.

    With the boxes of a joint call goes step 0, whose reply holds them. Boxes of batch jobs stay. Yields the ids of
    the samples that had such boxes, before they are taken away. What another run is working on is left to it.

    Raises:
        RunStopped: something cannot be written.
    """
    grounded, extracted = workspace.groundings, workspace.extractions
    joint = [
        result.sample_id
        for result in _made_at(extracted, settings[Step.EXTRACTION], times)
        if result.provenance.get("joint")
    ]
    boxes = [result.sample_id for result in _made_at(grounded, settings[Step.GROUNDING], times)]
    with Claims(workspace.results_dir) as claims:
        _drop_staged(workspace, settings[Step.GROUNDING], times, claims)
        for sample_id in dict.fromkeys([*boxes, *joint]):
            if not claims.take(sample_id):
                continue
            if grounded.index.look_again(sample_id) or extracted.index.look_again(sample_id):
                # made anew meanwhile
                claims.give_up(sample_id)
                continue
            yield sample_id
            if sample_id in grounded.index.entries:
                grounded.index.retire(sample_id)
            step = Step.GROUNDING
            if sample_id in joint:
                extracted.index.retire(sample_id)
                step = Step.EXTRACTION
            if sample_id in workspace.samples.entries:
                fingerprint = workspace.next_fingerprint(sample_id, step) or ""
                workspace.step(step).store.save_failure(sample_id, fingerprint, failure)
            claims.give_up(sample_id)
    for results in (grounded, extracted):
        results.index.flush()


def _made_at(results: StepResults, settings: str, times: Times) -> Iterator[Checkpoint]:
    """Of calls, not of batch jobs. A copy of a folder makes files younger than what is in them, never older."""
    earliest = min(since for since, _ in times)
    for sample_id in [*results.index.entries]:
        if results.index.written_ns(sample_id) > earliest:
            result = results.store.load(sample_id)
            if result is not None and _is_doubtful(result, settings, times):
                yield result


def _is_doubtful(result: Checkpoint, settings: str, times: Times) -> bool:
    return (
        result.settings_fingerprint == settings
        and not result.provenance.get("by_batch")
        and any(since < result.made_ns <= until for since, until in times)
    )


def _drop_staged(workspace: Workspace, settings: str, times: Times, claims: Claims) -> None:
    """Boxes of a redo that have not taken their place yet."""
    store = workspace.groundings.store
    for sample_id in store.staged_ids():
        staged = store.load_staged(sample_id)
        if staged is not None and _is_doubtful(staged, settings, times) and claims.take(sample_id):
            workspace.staged.drop(sample_id)
            claims.give_up(sample_id)

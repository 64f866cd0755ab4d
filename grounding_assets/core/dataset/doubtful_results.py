"""Boxes that turn out to be doubtful after they were stored: they are kept aside, and their samples have failed."""

from collections.abc import Iterator, Sequence

from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.errors import SampleFailure
from grounding_assets.core.steps import Step
from grounding_assets.core.store.checkpoint import Checkpoint
from grounding_assets.core.store.sample_locks import Claims

Times = Sequence[tuple[int, int]]
"""(since, until), in nanoseconds since 1970."""


def set_aside(workspace: Workspace, settings: str, times: Times, failure: SampleFailure) -> Iterator[str]:
    """Sets boxes aside that were made with these settings (their digest) and stored at these times, by their files.

    With the boxes of a joint call goes step 0, whose reply holds them. Boxes of batch jobs stay. Yields the ids of
    the samples that had such boxes, before they are taken away. What another run is working on is left to it.

    Raises:
        RunStopped: something cannot be written.
    """
    grounded, extracted = workspace.groundings, workspace.extractions
    boxes = [
        sample_id
        for sample_id in grounded.index.entries
        if _within(grounded.index.written_ns(sample_id), times)
        and grounded.index.entries[sample_id].settings_fingerprint == settings
        and not _is_by_batch(grounded.store.load(sample_id))
    ]
    joint = {
        sample_id
        for sample_id in extracted.index.entries
        if _within(extracted.index.written_ns(sample_id), times)
        and _is_joint(extracted.store.load(sample_id))
    }
    with Claims(workspace.results_dir) as claims:
        _drop_staged(workspace, settings, times, claims)
        for sample_id in [*boxes, *sorted(joint.difference(boxes))]:
            if not claims.take(sample_id):
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


def _drop_staged(workspace: Workspace, settings: str, times: Times, claims: Claims) -> None:
    """Boxes of a redo that have not taken their place yet."""
    store = workspace.groundings.store
    for sample_id in store.staged_ids():
        staged = store.load_staged(sample_id)
        stored_ns = store.staged_path(sample_id).stat().st_mtime_ns if staged is not None else 0
        doubtful = staged is not None and staged.settings_fingerprint == settings
        if doubtful and _within(stored_ns, times) and claims.take(sample_id):
            workspace.staged.drop(sample_id)
            claims.give_up(sample_id)


def _within(moment_ns: int, times: Times) -> bool:
    return any(since < moment_ns <= until for since, until in times)


def _is_by_batch(result: Checkpoint | None) -> bool:
    return result is not None and bool(result.provenance.get("by_batch"))


def _is_joint(extraction: Checkpoint | None) -> bool:
    return extraction is not None and extraction.provenance.get("joint") is True

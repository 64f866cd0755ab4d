"""Results of a redo that wait beside the old ones, until all steps of their sample can be replaced together.

A staged result takes its place once the result of the step after it, which was made from it, has taken its own.
That is decided by what lies on disk, so a kill between the two is made good by the next `refresh`.
"""

from collections.abc import Callable, Mapping

from grounding_assets.core.steps import Step
from grounding_assets.core.store.checkpoint import Checkpoint
from grounding_assets.core.store.checkpoint_index import StepResults


class StagedResults:
    """Those of all steps of a results folder: at most one a sample and step."""

    def __init__(self, results: Mapping[Step, StepResults]):
        self._results = results
        self._outputs: dict[Step, dict[str, str]] = {step: {} for step in results}
        """Digest of the next step's input that a staged result makes, by sample id."""

    @property
    def is_empty(self) -> bool:
        return not any(self._outputs.values())

    def has(self, sample_id: str, step: Step) -> bool:
        return sample_id in self._outputs[step]

    def output(self, sample_id: str, step: Step) -> str | None:
        """Digest of the next step's input that the staged result makes; None if there is none."""
        return self._outputs[step].get(sample_id)

    def note(self, checkpoint: Checkpoint, step: Step) -> None:
        """Remembers a result that has just been staged."""
        self._outputs[step][checkpoint.sample_id] = checkpoint.next_fingerprint

    def refresh(self, is_wanted: Callable[[Checkpoint, Step], bool]) -> None:
        """Reads what is staged on disk; what is not wanted any more is kept aside."""
        for step, results in self._results.items():
            self._outputs[step].clear()
            for sample_id in results.store.staged_ids():
                self.look_again(sample_id, step, is_wanted)
        for step in reversed([*self._results]):
            for sample_id in [*self._outputs[step]]:
                self._promote_where_used(sample_id, step)

    def look_again(self, sample_id: str, step: Step, is_wanted: Callable[[Checkpoint, Step], bool]) -> None:
        """Brings what is known of one sample in line with the disk."""
        self._outputs[step].pop(sample_id, None)
        checkpoint = self._results[step].store.load_staged(sample_id)
        if checkpoint is None:
            return
        if is_wanted(checkpoint, step) or self._is_used(checkpoint, step):
            self.note(checkpoint, step)
        else:
            self._results[step].store.drop_staged(sample_id)

    def drop(self, sample_id: str) -> None:
        """Keeps what is staged of a sample aside: its input has changed."""
        for step, results in self._results.items():
            if self._outputs[step].pop(sample_id, None) is not None:
                results.store.drop_staged(sample_id)

    def promote_before(self, sample_id: str, step: Step) -> None:
        """The step's result is in its place: puts the staged results that it was made from in theirs."""
        for before in reversed(step.earlier):
            self._promote_where_used(sample_id, before)

    def _promote_where_used(self, sample_id: str, step: Step) -> None:
        store = self._results[step].store
        checkpoint = store.load_staged(sample_id) if self.has(sample_id, step) else None
        if checkpoint is None or not self._is_used(checkpoint, step):
            return
        status = store.promote(sample_id)
        del self._outputs[step][sample_id]
        if status is not None:
            self._results[step].index.note(checkpoint, status)

    def _is_used(self, checkpoint: Checkpoint, step: Step) -> bool:
        after = step.after
        entry = self._results[after].index.entries.get(checkpoint.sample_id) if after is not None else None
        return entry is not None and entry.fingerprint == checkpoint.next_fingerprint

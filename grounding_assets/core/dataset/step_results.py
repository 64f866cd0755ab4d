"""One step's results: where they lie and what is known of them."""

from pathlib import Path

from grounding_assets.core.steps import Step
from grounding_assets.core.store.checkpoint_index import CheckpointIndex
from grounding_assets.core.store.checkpoint_store import CheckpointStore
from grounding_assets.core.store.compact_dict import Numbering


class StepResults:
    """One step's store and the index over it."""

    def __init__(self, results_dir: Path, step: Step, numbering: Numbering):
        self.step = step
        self.store = CheckpointStore(results_dir / step.folder)
        self.index = CheckpointIndex(self.store, numbering)

    @property
    def annotations(self) -> Path:
        return self.store.step_dir / "annotations.jsonl"

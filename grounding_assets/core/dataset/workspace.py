"""Everything that a results folder holds, in one place: where each file lies and what is in it."""

import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from grounding_assets.core.dataset.samples import SampleIndex
from grounding_assets.core.errors import InputError
from grounding_assets.core.files import replacing, stopping_if_unwritable, to_json
from grounding_assets.core.records import Sample
from grounding_assets.core.store.checkpoint_index import CheckpointIndex
from grounding_assets.core.store.checkpoint_store import CheckpointStore
from grounding_assets.core.store.compact_dict import Numbering, pack_digest, unpack_digest

STEP_FOLDERS = {"0": "step_0_expression_extraction", "1": "step_1_grounding", "2": "step_2_verification"}
STEP_BEFORE = {"1": "0", "2": "1"}
_RETIRING = ".retiring-*.json"
"""What a run means to move aside, until it has."""


class StepResults:
    """One step's store and the index over it."""

    def __init__(self, results_dir: Path, step: str, numbering: Numbering):
        self.step = step
        self.store = CheckpointStore(results_dir / STEP_FOLDERS[step])
        self.index = CheckpointIndex(self.store, numbering)

    @property
    def annotations(self) -> Path:
        return self.store.step_dir / "annotations.jsonl"


@dataclass(frozen=True, slots=True)
class PendingSample:
    sample_id: str
    steps: tuple[str, ...]
    """The steps still to do, in order."""


class Workspace:
    """A data set and its results: which samples there are, and how far each one is."""

    def __init__(self, samples: SampleIndex, results_dir: Path, image_root: Path):
        self.samples = samples
        self.results_dir = results_dir
        self.image_root = image_root
        self.results = {step: StepResults(results_dir, step, samples.numbering) for step in STEP_FOLDERS}
        self.moved_late = 0
        """Results that a killed run had still to move aside, and that were moved for it."""

    @property
    def extractions(self) -> StepResults:
        return self.results["0"]

    @property
    def groundings(self) -> StepResults:
        return self.results["1"]

    def step(self, step: str) -> StepResults:
        return self.results[step]

    def refresh(self) -> "Workspace":
        """Brings what is known of the results in line with the disk."""
        self.moved_late += sum(self._finish_retiring(order) for order in self.results_dir.glob(_RETIRING))
        for results in self.results.values():
            results.index.refresh()
        return self

    def retire(self, sample_ids: Sequence[str], steps: Sequence[str]) -> None:
        """Moves results aside, so that they are made again; nothing is deleted.

        What is to be moved is written down first: after a kill in the middle, `refresh` moves the rest.
        """
        order = self.results_dir / _RETIRING.replace("*", secrets.token_hex(4))
        with stopping_if_unwritable(order), replacing(order) as stream:
            stream.write(to_json({"steps": list(steps), "sample_ids": list(sample_ids)}))
        self._finish_retiring(order)
        self.refresh()

    def _finish_retiring(self, order: Path) -> int:
        """Returns how many results were moved: those that are older than the order, not what came since."""
        try:
            given_ns = order.stat().st_mtime_ns
            wanted = json.loads(order.read_bytes())
            steps = [step for step in wanted["steps"] if step in self.results]
            sample_ids = [
                sample_id for sample_id in wanted["sample_ids"] if sample_id in self.samples.entries
            ]
        except FileNotFoundError:
            # another run has moved them
            return 0
        except (ValueError, KeyError, TypeError):
            raise InputError(f"{order} is damaged: delete it, then force the run again.") from None
        moved = sum(self.step(step).store.retire(sample_ids, made_before_ns=given_ns) for step in steps)
        order.unlink(missing_ok=True)
        return moved

    def image_file(self, sample: Sample) -> Path:
        return self.image_root / sample.image_path

    def input_fingerprint(self, sample_id: str, step: str) -> str | None:
        """Digest of the step's input as it is now; None where the step before has no current result."""
        packed = self._packed_input(sample_id, step)
        return None if packed is None else unpack_digest(packed, 0)[0]

    def is_done(self, sample_id: str, step: str) -> bool:
        """Whether the step has a result, and its input has not changed since."""
        digests = self.results[step].index.packed_digests(sample_id)
        return digests is not None and digests[0] == self._packed_input(sample_id, step)

    def _packed_input(self, sample_id: str, step: str) -> bytes | None:
        before = STEP_BEFORE.get(step)
        if before is None:
            return self.samples.packed_fingerprint(sample_id)
        made = self.results[before].index.packed_digests(sample_id)
        if made is None or made[0] != self._packed_input(sample_id, before):
            return None
        return made[1]

    def made_with_other_settings(
        self, sample_ids: Sequence[str], step: str, settings_fingerprint: str
    ) -> int:
        """How many of the samples have a current result of the step that other settings made."""
        own, index = pack_digest(settings_fingerprint), self.results[step].index
        count = 0
        for sample_id in sample_ids:
            digests = index.packed_digests(sample_id)
            if (
                digests is not None
                and digests[2] != own
                and digests[0] == self._packed_input(sample_id, step)
            ):
                count += 1
        return count

    def pending(self, sample_ids: Sequence[str], steps: Sequence[str]) -> Iterator[PendingSample]:
        """Which of the samples lack a current result of which of the steps."""
        # one tuple for all samples that lack the same
        shared: dict[tuple[str, ...], tuple[str, ...]] = {}
        for sample_id in sample_ids:
            missing = tuple(step for step in steps if not self.is_done(sample_id, step))
            if missing:
                yield PendingSample(sample_id, shared.setdefault(missing, missing))

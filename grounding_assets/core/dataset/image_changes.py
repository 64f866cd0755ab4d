"""Which results were made from an image file that has been replaced since, under the same path.

Size and time of change, which `SampleIndex` holds, are compared for every sample; where they differ, the digest of
the file decides. A file that is not there says nothing: its results stay.
"""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

from grounding_assets.core.dataset.samples import SampleIndex
from grounding_assets.core.dataset.step_results import StepResults
from grounding_assets.core.steps import Step


class ImageChanges:
    """What the last refresh found."""

    def __init__(self, results: Mapping[Step, StepResults]):
        self._results = results
        self._changed: dict[Step, set[str]] = {step: set() for step in results}

    def has_changed(self, sample_id: str, step: Step) -> bool:
        """Whether the step's result was made from another image than the file is now."""
        return sample_id in self._changed[step]

    @property
    def sample_ids(self) -> set[str]:
        """Samples with such a result."""
        return set().union(*self._changed.values())

    def forget(self, sample_id: str, step: Step) -> None:
        """The step has a new result."""
        self._changed[step].discard(sample_id)

    def refresh(self, samples: SampleIndex, image_file: Callable[[str], Path]) -> None:
        """Compares the file of each sample, `image_file(sample_id)`, with what its results were made from."""
        last: tuple[Path, str] | None = None
        for step, results in self._results.items():
            self._changed[step].clear()
            for sample_id in results.index.entries:
                stamp = samples.image_stamp(sample_id) if sample_id in samples.entries else 0
                if not stamp or results.index.image_stamp(sample_id) == stamp:
                    continue
                made_from = self._made_from(sample_id, step)
                file = image_file(sample_id)
                if made_from and (last is None or last[0] != file):
                    # neighbours are often captions of one image
                    last = file, _digest(file)
                if not made_from or last is None or last[1] in (made_from, ""):
                    results.index.amend(sample_id, image_stamp=stamp)
                else:
                    self._changed[step].add(sample_id)
            results.index.flush()

    def _made_from(self, sample_id: str, step: Step) -> str:
        """Digest of the image in the result's provenance; empty if it tells none, as of imported results."""
        checkpoint = self._results[step].store.load(sample_id)
        return str(checkpoint.provenance.get("image_sha256", "")) if checkpoint is not None else ""


def _digest(file: Path) -> str:
    """Empty if the file cannot be read."""
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""

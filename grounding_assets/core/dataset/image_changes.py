"""Which results were made from an image that has been replaced since, under the same path.

Stamps, which `SampleIndex` holds, are compared for every sample; if they differ, the digest of the file decides.
A file that is not there says nothing: its results stay. Object storage is asked for the stamps of those pictures alone
that have results.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from grounding_assets.core.dataset.samples import STORED, SampleIndex
from grounding_assets.core.errors import SampleFailure
from grounding_assets.core.images.image_file import read_image_bytes
from grounding_assets.core.images.locations import ImageLocation, in_order
from grounding_assets.core.steps import Step
from grounding_assets.core.store.checkpoint_index import StepResults

ImageOf = Callable[[str], ImageLocation]
"""From a sample id to its image."""
_ASKING_THREADS, _DIGESTING_THREADS = 32, 8


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

    def refresh(self, samples: SampleIndex, image_file: ImageOf) -> None:
        """Compares the image of each sample with what its results were made from.

        Raises:
            StorageUnavailable: object storage does not answer.
        """
        self._ask_for_stamps(samples, image_file)
        for step, results in self._results.items():
            self._changed[step].clear()
            index = results.index
            suspects: list[str] = []
            for sample_id in index.entries:
                stamp = samples.image_stamp(sample_id) if sample_id in samples.entries else 0
                if not stamp or index.image_stamp(sample_id) == stamp:
                    continue
                if self._made_from(sample_id, step):
                    suspects.append(sample_id)
                else:
                    index.amend(sample_id, image_stamp=stamp)
            for sample_id, digest in zip(suspects, _digests(suspects, image_file), strict=True):
                if digest in (self._made_from(sample_id, step), ""):
                    index.amend(sample_id, image_stamp=samples.image_stamp(sample_id))
                else:
                    self._changed[step].add(sample_id)
            index.flush()

    def _ask_for_stamps(self, samples: SampleIndex, image_file: ImageOf) -> None:
        # a list: entries are not changed while they are gone through
        wanted = [
            sample_id
            for sample_id in samples.entries
            if samples.image_stamp(sample_id) == STORED
            and any(sample_id in results.index.entries for results in self._results.values())
        ]
        stamps = in_order(lambda one: _stored_stamp(image_file(one)), wanted, threads=_ASKING_THREADS)
        for sample_id, stamp in zip(wanted, stamps, strict=True):
            samples.note_image_stamp(sample_id, stamp)

    def _made_from(self, sample_id: str, step: Step) -> str:
        """Digest of the image in the result's provenance; empty if it tells none, as of imported results."""
        checkpoint = self._results[step].store.load(sample_id)
        return str(checkpoint.provenance.get("image_sha256", "")) if checkpoint is not None else ""


def _stored_stamp(image: ImageLocation) -> int:
    return 0 if isinstance(image, Path) else image.stored_stamp()


def _digests(sample_ids: Sequence[str], image_file: ImageOf) -> Iterator[str]:
    """Of the image of each; a neighbour's is not read again, since neighbours are often captions of one image."""
    same = [list(images) for _, images in groupby(map(image_file, sample_ids), key=str)]
    digests = in_order(lambda images: _digest(images[0]), same, threads=_DIGESTING_THREADS)
    for images, digest in zip(same, digests, strict=True):
        yield from [digest] * len(images)


def _digest(image: ImageLocation) -> str:
    """Empty if it cannot be read."""
    try:
        if not isinstance(image, Path):
            return hashlib.sha256(read_image_bytes(image)).hexdigest()
        with image.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except (OSError, SampleFailure):
        return ""

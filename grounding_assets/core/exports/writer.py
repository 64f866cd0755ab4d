"""What every export format offers to the driver, and the counts that it keeps for it.

Not here: filters, splits, where the files finally go (`export`, `staging`).
"""

from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

from grounding_assets.core.dataset.annotated import AnnotatedSample
from grounding_assets.core.exports.splits import image_identity


@dataclass(slots=True)
class SplitCounts:
    """What one split holds, as written."""

    images: int = 0
    samples: int = 0
    expressions: int = 0
    boxes: int = 0

    def to_dict(self) -> dict[str, int]:
        return asdict(self)


@dataclass
class Ledger:
    """What was written and what was not, across the whole export."""

    splits: dict[str, SplitCounts]
    left_out: Counter[str] = field(default_factory=Counter)
    """By kind, in words for the card."""
    reviewed: Counter[str] = field(default_factory=Counter)
    """What reviewers confirmed or corrected, likewise."""
    _images: set[int] = field(default_factory=set)

    def wrote(self, split: str, image_path: str, *, expressions: int, boxes: int, samples: int = 1) -> None:
        counts = self.splits[split]
        image = hash(image_identity(image_path))
        if image not in self._images:
            self._images.add(image)
            counts.images += 1
        counts.samples += samples
        counts.expressions += expressions
        counts.boxes += boxes


class Writer(Protocol):
    """Writes one format into a folder, one file or set of files a split. Closed also after an error."""

    def __init__(self, folder: Path, scratch: Path, ledger: Ledger):
        """`scratch` is an existing folder for what is needed while writing only."""
        ...

    def add(self, sample: AnnotatedSample, split: str) -> bool:
        """Whether the format can hold the sample; one that it cannot is counted as left out."""
        ...

    def finish(self) -> None:
        """Writes what could only be written at the end."""
        ...

    def close(self) -> None:
        """Releases files, finished or not."""
        ...

"""What every export format is given and offers to the driver, and the counts that it keeps for it.

Not here: filters, splits, where the files finally go (`export`, `staging`).
"""

import json
import re
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from grounding_assets.core.dataset.annotated import AnnotatedSample
from grounding_assets.core.exports.captions import TrainingCaption
from grounding_assets.core.exports.chat_model import ChatModel
from grounding_assets.core.exports.detections import ImageObjects
from grounding_assets.core.exports.images import ExportedImages
from grounding_assets.core.exports.splits import image_identity
from grounding_assets.core.spec.export_settings import ExportSpec

MAX_TEXT_TOKENS = 256
"""What the text encoders of Grounding DINO, MDETR and GLIP read of a caption."""


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
    notes: Counter[str] = field(default_factory=Counter)
    """What is worth knowing of what was written, by kind, in words for the card."""
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

    def wrote_objects(self, image: ImageObjects) -> None:
        """The same of an image whose objects were merged."""
        self.left_out["boxes of an object that another expression or caption boxes as well"] += (
            image.stated - len(image.objects)
        )
        self.wrote(
            image.split,
            image.image_path,
            expressions=image.expressions,
            boxes=len(image.objects),
            samples=image.samples,
        )

    def took_caption(self, caption: TrainingCaption) -> None:
        """Counts what is worth knowing of a caption that was written."""
        if caption.is_list:
            self.notes[
                "captions written as a list of phrases, since words of others would be taken for negatives"
            ] += 1
        if estimated_tokens(caption.text) > MAX_TEXT_TOKENS:
            self.notes[f"captions of about {MAX_TEXT_TOKENS} tokens or more, which loaders cut"] += 1


@dataclass(frozen=True, slots=True)
class ExportJob:
    """What a writer works with."""

    folder: Path
    """Where its files go: existing, empty."""
    scratch: Path
    """An existing folder for what is needed while writing only."""
    settings: ExportSpec
    ledger: Ledger
    images: ExportedImages
    chat_model: ChatModel
    """Which numbers conversations have boxes in."""


class Writer(Protocol):
    """Writes one format into a folder, one file or set of files a split. Closed also after an error."""

    def __init__(self, job: ExportJob): ...

    def add(self, sample: AnnotatedSample, split: str) -> bool:
        """Whether the format can hold the sample; one that it cannot is counted as left out."""
        ...

    def finish(self) -> None:
        """Writes what could only be written at the end."""
        ...

    def close(self) -> None:
        """Releases files, finished or not."""
        ...


class SplitLines:
    """`<split>.jsonl` for every split.

    Escaped to ASCII, since loaders open the files in whatever encoding the machine has set.
    """

    def __init__(self, job: ExportJob):
        self._files = ExitStack()
        self._streams = {
            split: self._files.enter_context((job.folder / f"{split}.jsonl").open("w", encoding="ascii"))
            for split in job.ledger.splits
        }

    def write(self, split: str, line: Mapping[str, Any]) -> None:
        self._streams[split].write(json.dumps(line, allow_nan=False) + "\n")

    def close(self) -> None:
        self._files.close()


def estimated_tokens(text: str) -> int:
    """About how many tokens BERT's and RoBERTa's tokenizers make of a text, rather more than fewer.

    Two for the ends, one for every started eight letters of an alphabet, for every sign, and for every other letter.

    >>> estimated_tokens("A red car."), estimated_tokens("an incomprehensible 猫猫")
    (6, 7)
    """
    return 2 + len(re.findall(r"[0-9A-Za-z\u00c0-\u024f]{1,8}|[^\s0-9A-Za-z\u00c0-\u024f]", text))

"""What an export did, as numbers: its writer counts, the card and the manifest tell."""

import re
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from grounding_assets.core.exports.captions import TrainingCaption
from grounding_assets.core.exports.chat_model import ChatModel
from grounding_assets.core.exports.detections import ImageObjects
from grounding_assets.core.exports.origins import Origins
from grounding_assets.core.exports.splits import image_identity
from grounding_assets.core.spec.export_settings import ExportFormat, ExportSpec

MAX_TEXT_TOKENS = 256
"""What the text encoders of Grounding DINO, MDETR and GLIP read of a caption."""


@dataclass(slots=True)
class SplitCounts:
    """What one split holds, as written."""

    images: int = 0
    samples: int = 0
    expressions: int = 0
    boxes: int = 0


@dataclass
class ExportReport:
    fmt: ExportFormat
    out_dir: Path
    settings: ExportSpec
    chat_model: ChatModel
    """Which numbers conversations have boxes in."""
    files: tuple[str, ...] = ()
    """Names directly under `out_dir`, folders included."""
    splits: dict[str, SplitCounts] = field(init=False)
    """As written, by split."""
    left_out: Counter[str] = field(default_factory=Counter)
    """By kind, in words for the card."""
    reviewed: Counter[str] = field(default_factory=Counter)
    """What reviewers confirmed or corrected, before the filters, likewise."""
    notes: Counter[str] = field(default_factory=Counter)
    """What is worth knowing of what was written, likewise."""
    demo_samples: int = 0
    """Samples that the embedded demonstration teacher annotated."""
    origins: Origins = field(default_factory=Origins)
    _images: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.splits = {name: SplitCounts() for name in self.settings.fractions}

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

    def to_dict(self) -> dict[str, Any]:
        """For `export.json` and asset metadata."""
        return {
            "format": self.fmt,
            "files": list(self.files),
            "splits": {name: asdict(counts) for name, counts in self.splits.items()},
            "left_out": dict(sorted((+self.left_out).items())),
            "reviewed": dict(sorted((+self.reviewed).items())),
            "notes": dict(sorted((+self.notes).items())),
            "demo_samples": self.demo_samples,
            "made_by": [{**origin._asdict(), "samples": n} for origin, n in self.origins.counts.items()],
            "filters": self.filters(),
            "split": {"fractions": dict(self.settings.fractions), "seed": self.settings.seed},
        }

    @property
    def empty_splits(self) -> list[str]:
        """Splits that no image fell into."""
        return [name for name, counts in self.splits.items() if not counts.samples]

    def filters(self) -> dict[str, Any]:
        """The settings other than the splits, by name."""
        return self.settings.model_dump(mode="json", exclude={"formats", "fractions", "seed"})


def estimated_tokens(text: str) -> int:
    """About how many tokens BERT's and RoBERTa's tokenizers make of a text, rather more than fewer.

    Two for the ends, one for every started eight letters of an alphabet, for every sign, and for every other letter.

    >>> estimated_tokens("A red car."), estimated_tokens("an incomprehensible 猫猫")
    (6, 7)
    """
    return 2 + len(re.findall(r"[0-9A-Za-z\u00c0-\u024f]{1,8}|[^\s0-9A-Za-z\u00c0-\u024f]", text))

"""What a sample, an expression and an instance are, and how they look in the output files.

Coordinates here are always `xyxy` integer pixels of the upright (EXIF applied) original image, and
character spans are `[start, end)` in code points of the cleaned caption. Conversions happen before.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

SOURCE = "image_grounding"
DEFAULT_SCORE = 0.9
"""Written if a model gives no score. TAO's value, so that files stay comparable."""


PixelBox = tuple[int, int, int, int]
"""`x1, y1, x2, y2` in whole pixels of the upright original."""
Span = tuple[int, int]
"""`[start, end)` in code points of a text."""
ScoreSource = Literal["model", "default", "reviewer"]
"""`reviewer`: a person drew the box, and its score is 1; in exports only."""
SpanStatus = Literal["exact", "repaired"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One (image, caption) pair of the input file."""

    sample_id: str
    image_path: str
    """As given in the input, before `data.image_root` is applied."""
    caption: str
    declared_size: tuple[int, int] | None = None
    """(width, height) in pixels as given in the input, or None."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One box of one expression."""

    bbox: PixelBox
    """`x1, y1, x2, y2`; `0 <= x1 < x2 <= width`, `0 <= y1 < y2 <= height`."""
    score: float
    """0.0 to 1.0."""
    score_source: ScoreSource
    verified: bool | None = None
    """Whether step 2 finds that it shows what the expression refers to; None: unsure, no answer, not asked."""


class GroundingStatus(StrEnum):
    """What the teacher said of an expression in step 1; three ways to have no box, which differ."""

    BOXED = "boxed"
    NONE_SEEN = "none_seen"
    """The reply lists the expression with no usable box."""
    NOT_MENTIONED = "not_mentioned"
    """The reply does not mention the expression at all."""
    OUT_OF_VOCABULARY = "out_of_vocabulary"
    """The embedded teacher does not know this kind of thing, so it did not look."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A phrase of the cleaned caption that picks out something visible."""

    text: str
    char_span: Span
    noun_chunk: str
    """The head noun phrase without its attributes, such as `car` for `a red car`."""
    span_status: SpanStatus = "exact"
    instances: tuple[Instance, ...] = ()
    grounding_status: GroundingStatus | None = None
    """None until step 1 has run."""
    shows_verification: bool = False
    """Whether the record has the fields of step 2, which may have found nothing out."""
    complete: bool | None = None
    """Whether step 2 finds that no box is missing; None: unsure, no answer, not asked."""

    def to_record(self, sample_id: str, index: int) -> dict[str, Any]:
        """The output form; ids are functions of the sample and the position alone."""
        expression_id = f"{sample_id}/e{index}"
        row: dict[str, Any] = {
            "expression_id": expression_id,
            "text": self.text,
            "char_span": list(self.char_span),
            "noun_chunk": self.noun_chunk,
            "span_status": self.span_status,
            "instances": [
                {
                    "bbox_id": f"{expression_id}/b{i}",
                    "bbox": list(instance.bbox),
                    "score": instance.score,
                    "score_source": instance.score_source,
                }
                | ({"verified": instance.verified} if self.shows_verification else {})
                for i, instance in enumerate(self.instances)
            ],
        }
        if self.grounding_status is not None:
            row["grounding_status"] = str(self.grounding_status)
        if self.shows_verification:
            row["complete"] = self.complete
        return row


@dataclass(frozen=True, slots=True)
class Extraction:
    """Step 0 of one sample: the cleaned caption and its expressions, in reading order."""

    cleaned_caption: str
    expressions: tuple[Expression, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    replies: tuple[str, ...] = ()
    """Raw reply texts, in the order they came; empty if no model was called."""


@dataclass(frozen=True, slots=True)
class Grounding:
    """Step 1 of one sample: the same expressions in the same order, with instances and a status each."""

    expressions: tuple[Expression, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    replies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verification:
    """Step 2 of one sample: the same expressions and boxes, with `verified` and `complete` filled in."""

    expressions: tuple[Expression, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    replies: tuple[str, ...] = ()

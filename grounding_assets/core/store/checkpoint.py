"""One result as it lies on disk, and the rules it has to keep."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from grounding_assets.core.records import (
    Expression,
    GroundingStatus,
    Instance,
    PixelBox,
    ScoreSource,
    SpanStatus,
)
from grounding_assets.core.store.fingerprint import verification_fingerprint

FORMAT = 1
_ORDER_ID = re.compile(r"[0-9a-f]{16}")
SPAN_STATUSES, SCORE_SOURCES = get_args(SpanStatus), get_args(ScoreSource)


class CorruptCheckpoint(Exception):
    """The file is not a checkpoint of this format; its text says why."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One sample's result of one step, with all that is needed to judge or redo it without a call."""

    sample_id: str
    fingerprint: str
    """Digest of the step's input."""
    output_fingerprint: str
    """Digest of the next step's input that this result makes; empty from step 1 on, see `next_fingerprint`."""
    settings_fingerprint: str
    cleaned_caption: str
    expressions: tuple[Expression, ...]
    image_size: tuple[int, int]
    """(width, height) in pixels of the upright original."""
    provenance: Mapping[str, Any]
    replies: tuple[str, ...]
    image_stamp: int = 0
    """Size and time of change of the image file that was read, as `files.short_file_stamp` gives them; 0: not known."""
    order_id: str = ""
    """The order of `force_reprocess` that it was made for, see `redo_orders`."""
    made_ns: int = 0
    """When its reply had come, in nanoseconds since 1970; 0: not known."""

    @property
    def next_fingerprint(self) -> str:
        """Digest of the next step's input. From step 1 on the boxes make it, whoever wrote the file."""
        return self.output_fingerprint or verification_fingerprint(self.fingerprint, self.expressions)

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "sample_id": self.sample_id,
            "fingerprint": self.fingerprint,
            "output_fingerprint": self.output_fingerprint,
            "settings_fingerprint": self.settings_fingerprint,
            "image_stamp": self.image_stamp,
            "order_id": self.order_id,
            "made_ns": self.made_ns,
            "record": {
                "width": self.image_size[0],
                "height": self.image_size[1],
                "cleaned_caption": self.cleaned_caption,
                "expressions": [e.to_record(self.sample_id, i) for i, e in enumerate(self.expressions)],
            },
            "provenance": dict(self.provenance),
            "replies": list(self.replies),
        }

    @classmethod
    def from_json(cls, tree: Any) -> "Checkpoint":
        try:
            if tree["format"] != FORMAT:
                raise CorruptCheckpoint(f"format {tree['format']!r} instead of {FORMAT}")
            record = tree["record"]
            checkpoint = cls(
                sample_id=tree["sample_id"],
                fingerprint=tree["fingerprint"],
                output_fingerprint=tree["output_fingerprint"],
                settings_fingerprint=tree["settings_fingerprint"],
                cleaned_caption=record["cleaned_caption"],
                expressions=tuple(expression_from_record(row) for row in record["expressions"]),
                image_size=(int(record["width"]), int(record["height"])),
                provenance=dict(tree["provenance"]),
                replies=tuple(tree["replies"]),
                image_stamp=int(tree.get("image_stamp", 0)),
                order_id=tree.get("order_id", ""),
                made_ns=int(tree.get("made_ns", 0)),
            )
            defect = checkpoint.defect()
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise CorruptCheckpoint(f"{type(error).__name__}: {error}") from None
        if defect:
            raise CorruptCheckpoint(defect)
        return checkpoint

    def defect(self) -> str:
        """The first rule of the output format that this result breaks; empty if it keeps them all."""
        digests = (self.fingerprint, self.output_fingerprint, self.settings_fingerprint)
        texts = (self.sample_id, *digests, self.cleaned_caption, *self.replies, self.order_id)
        if not all(isinstance(text, str) for text in texts):
            return "there is a number in the place of a text"
        if self.order_id and not _ORDER_ID.fullmatch(self.order_id):
            return "order_id is not 16 hexadecimal digits"
        if not 0 <= self.image_stamp < 1 << 64:
            return "image_stamp is out of range"
        defects = (self._defect_of(expression) for expression in self.expressions)
        return next(filter(None, defects), "")

    def _defect_of(self, expression: Expression) -> str:
        width, height = self.image_size
        start, end = expression.char_span
        if not 0 <= start < end or self.cleaned_caption[start:end] != expression.text:
            return f"char_span [{start}, {end}] is not where '{expression.text[:80]}' stands"
        if not isinstance(expression.noun_chunk, str) or expression.span_status not in SPAN_STATUSES:
            return f"noun_chunk or span_status of '{expression.text[:80]}'"
        if type(expression.complete) not in (bool, type(None)):
            return f"complete of '{expression.text[:80]}' is neither true, false nor null"
        for instance in expression.instances:
            x1, y1, x2, y2 = instance.bbox
            if not (0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height):
                return f"bbox {list(instance.bbox)} is not inside {width} x {height} pixels"
            if type(instance.verified) not in (bool, type(None)):
                return f"verified of bbox {list(instance.bbox)} is neither true, false nor null"
            if not 0 <= instance.score <= 1 or instance.score_source not in SCORE_SOURCES:
                return f"score {instance.score} from '{instance.score_source}'"
        return ""


def expression_from_record(row: Mapping[str, Any]) -> Expression:
    """The inverse of `Expression.to_record`; raises KeyError, TypeError or ValueError."""
    start, end = row["char_span"]
    status = row.get("grounding_status")
    return Expression(
        text=row["text"],
        char_span=(int(start), int(end)),
        noun_chunk=row["noun_chunk"],
        span_status=row.get("span_status", "exact"),
        instances=tuple(
            Instance(_four_ints(box["bbox"]), float(box["score"]), box["score_source"], box.get("verified"))
            for box in row["instances"]
        ),
        grounding_status=None if status is None else GroundingStatus(status),
        shows_verification="complete" in row,
        complete=row.get("complete"),
    )


def _four_ints(bbox: Any) -> PixelBox:
    x1, y1, x2, y2 = bbox
    return int(x1), int(y1), int(x2), int(y2)

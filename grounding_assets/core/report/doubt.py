"""How doubtful a sample looks, from its annotation alone: signals, filters, and one number to sort by.

Doubt is `1 - prod(1 - weight)` over the signals of a sample, each kind counting once: 0 if nothing
speaks against the sample, 1 if it failed. It orders what people look at first; it is not a
probability. Nothing here reads images or decides what is kept.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from grounding_assets.core.boxes.geometry import DUPLICATE_IOU, iou_xyxy
from grounding_assets.core.dataset.annotated import is_grounded
from grounding_assets.core.records import GroundingStatus

LOW_SCORE = 0.5
"""A model score below this is low."""
MANY_BOXES = 10
"""More boxes than this for one expression are many."""
TINY_SHARE, HUGE_SHARE = 0.001, 0.9
"""Shares of the photo's area, outside of which a box is tiny or huge."""
COMPARED_BOXES = 100
"""Only so many boxes of one expression are compared with each other; more are many boxes anyway."""
WORTH_SAYING = 0.1
"""Signals of a lower weight are summed but not put into words."""

FILTERS = {
    "failed": "Failed",
    "no_box": "No box",
    "low_score": f"Score under {LOW_SCORE:g}",
    "many_boxes": f"Over {MANY_BOXES} boxes",
    "extreme_box": "Tiny or huge box",
}
"""Filter name to its label, in the order shown."""

RULES = (
    ("failed", "1"),
    ("no expression at all", "0.8"),
    ("expressions without a box", "0.7 × their share (0.2 × where out of the teacher’s vocabulary)"),
    ("lowest score that the model gave", "1 − score; default scores say nothing"),
    (f"two boxes of one expression with IoU over {DUPLICATE_IOU:g}", "0.5"),
    (f"an expression with more than {MANY_BOXES} boxes", "0.3"),
    (f"a box under {TINY_SHARE:.1%} or over {HUGE_SHARE:.0%} of the photo", "0.3"),
    ("a span that had to be repaired", "0.2"),
)
"""What `signals` does, in words, with the weights."""

Box = Sequence[float]


@dataclass(frozen=True, slots=True)
class Signal:
    """One thing that speaks against a sample."""

    weight: float
    """0.0 to 1.0."""
    text: str
    filter: str | None = None
    """The filter of `FILTERS` that finds samples with this signal."""


FAILED = Signal(1.0, "failed", "failed")


def doubt(found: Iterable[Signal]) -> float:
    """`1 - prod(1 - weight)`, 0.0 to 1.0."""
    return 1.0 - prod(1.0 - signal.weight for signal in found)


def signals(record: Mapping[str, Any]) -> list[Signal]:
    """All that speaks against one line of `annotations.jsonl`, heaviest first."""
    expressions = record["expressions"]
    if not expressions:
        return [Signal(0.8, "no expression", "no_box")]
    found = list(_of_boxes(expressions, record))
    if is_grounded(record):
        found += _of_missing_boxes(expressions)
    if any(expression.get("span_status") == "repaired" for expression in expressions):
        found.append(Signal(0.2, "a span was repaired"))
    return sorted(found, key=lambda signal: -signal.weight)


def _of_missing_boxes(expressions: Sequence[Mapping[str, Any]]) -> Iterable[Signal]:
    unboxed = [expression for expression in expressions if not expression["instances"]]
    if not unboxed:
        return
    outside = sum(e.get("grounding_status") == GroundingStatus.OUT_OF_VOCABULARY for e in unboxed)
    weight = (0.7 * (len(unboxed) - outside) + 0.2 * outside) / len(expressions)
    yield Signal(weight, f"no box for {len(unboxed)} of {len(expressions)}", "no_box")


def _of_boxes(expressions: Sequence[Mapping[str, Any]], record: Mapping[str, Any]) -> Iterable[Signal]:
    instances = [instance for expression in expressions for instance in expression["instances"]]
    scores = [i["score"] for i in instances if i.get("score_source") == "model"]
    if scores:
        lowest = min(max(min(scores), 0.0), 1.0)
        yield Signal(1.0 - lowest, f"lowest score {lowest:.2f}", "low_score" if lowest < LOW_SCORE else None)
    most = max(len(expression["instances"]) for expression in expressions)
    if most > MANY_BOXES:
        yield Signal(0.3, f"{most} boxes for one expression", "many_boxes")
    shares = [share for i in instances if (share := area_share(i["bbox"], record)) is not None]
    if shares and min(shares) < TINY_SHARE:
        yield Signal(0.3, f"a tiny box ({min(shares):.2%} of the photo)", "extreme_box")
    elif shares and max(shares) > HUGE_SHARE:
        yield Signal(0.3, f"a huge box ({max(shares):.0%} of the photo)", "extreme_box")
    if any(_has_duplicates([i["bbox"] for i in e["instances"]]) for e in expressions):
        yield Signal(0.5, "duplicate boxes")


def area_share(bbox: Box, record: Mapping[str, Any]) -> float | None:
    """Area of an `xyxy` pixel box over that of the record's photo; None if its size is not known."""
    photo_area = (record.get("width") or 0) * (record.get("height") or 0)
    if photo_area <= 0:
        return None
    x1, y1, x2, y2 = bbox
    return max(x2 - x1, 0) * max(y2 - y1, 0) / photo_area


def _has_duplicates(boxes: Sequence[Box]) -> bool:
    compared = boxes[:COMPARED_BOXES]
    if len(compared) < 2:
        return False
    overlaps = iou_xyxy(compared, compared)
    return bool(overlaps[np.triu_indices(len(compared), 1)].max() > DUPLICATE_IOU)

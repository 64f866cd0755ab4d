"""Arithmetic on axis-aligned boxes in pixels, and the cleaning that every decoded box goes through, or that refuses it.

Nothing here knows of models, conventions or replies: `coordinates` turns a reply's numbers into pixels first.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.records import PixelBox

MIN_SIDE_PX = 2.0
"""A box narrower or lower than this after clamping shows nothing that can be learnt."""
DUPLICATE_IOU = 0.85
"""Above this overlap two boxes of one expression are taken for the same object said twice."""

CREEP_IOU = 0.5
"""Above this overlap a box that follows another one is the same one moved on."""
MAX_CREEP = 10
"""So many boxes in a row, each the one before moved on a little, come from a model that repeats itself."""

_Box = tuple[float, float, float, float]


def iou_xyxy(boxes: ArrayLike, others: ArrayLike) -> NDArray[np.float64]:
    """Intersection over union of every box with every other box (the Jaccard index of their areas).

    Args:
        boxes: shape (N, 4), `x1, y1, x2, y2` with `x1 <= x2` and `y1 <= y2`.
        others: shape (M, 4), same order and unit.

    Returns:
        Shape (N, M), 0.0 to 1.0; 0.0 if both boxes are empty.

    >>> iou_xyxy([[0, 0, 10, 10]], [[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]]).round(3).tolist()
    [[1.0, 0.333, 0.0]]
    """
    a = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    b = np.asarray(others, dtype=np.float64).reshape(-1, 4)
    top_left = np.maximum(a[:, None, :2], b[None, :, :2])
    bottom_right = np.minimum(a[:, None, 2:], b[None, :, 2:])
    sides = np.clip(bottom_right - top_left, 0, None)
    intersection = sides[..., 0] * sides[..., 1]
    areas, others_areas = ((xyxy[:, 2] - xyxy[:, 0]) * (xyxy[:, 3] - xyxy[:, 1]) for xyxy in (a, b))
    union = areas[:, None] + others_areas[None, :] - intersection
    return np.divide(intersection, union, out=np.zeros_like(intersection), where=union > 0)


def longest_creep(boxes: ArrayLike) -> int:
    """How many boxes in a row each overlap the one before by more than `CREEP_IOU` without being equal to it.

    Args:
        boxes: shape (N, 4), `x1, y1, x2, y2`; corners may be swapped.

    >>> longest_creep([[0, 0, 10, 10], [1, 0, 11, 10], [2, 0, 12, 10], [50, 0, 60, 10]])
    3
    """
    xyxy = np.asarray(boxes, dtype=np.float64).reshape(-1, 2, 2)
    edges = np.hstack([xyxy.min(axis=1), xyxy.max(axis=1)])
    longest = run = 1
    for one, other in pairwise(edges):
        creeps = not np.array_equal(one, other) and iou_xyxy([one], [other])[0, 0] > CREEP_IOU
        run = run + 1 if creeps else 1
        longest = max(longest, run)
    return longest


@dataclass(frozen=True, slots=True)
class CleanedBoxes:
    """The boxes of one expression that may be written, and how many were repaired or left out."""

    boxes: tuple[PixelBox, ...]
    """Integers, `0 <= x1 < x2 <= width` and `0 <= y1 < y2 <= height`, in the order they came."""
    kept: tuple[int, ...]
    """Index of each box in the input, ascending."""
    inverted: int
    """Boxes whose corners were swapped; repaired by sorting."""
    degenerate: int
    """Boxes left out because a side is under `MIN_SIDE_PX` once inside the image."""
    duplicate: int
    """Boxes left out because a better-scored one covers the same place."""


def clean_boxes(
    boxes: Sequence[Sequence[float]], scores: Sequence[float | None], image_size: tuple[int, int]
) -> CleanedBoxes:
    """Sorts corners, clamps to the image, rounds to integers, and drops degenerate and duplicate boxes.

    Edges are rounded to the nearest integer, halves upwards. Of boxes that overlap by more than
    `DUPLICATE_IOU` the one with the higher score stays (a stated score beats none, then the earlier one).

    Args:
        boxes: N times four finite numbers, `x1, y1, x2, y2` in pixels of the image; corners may be swapped
            and may lie outside.
        scores: N scores, 0.0 to 1.0, or None if the model gave none.
        image_size: (width, height) in pixels, both positive.

    >>> clean_boxes([[30.4, 20, 9.5, 60]], [None], (40, 50)).boxes
    ((10, 20, 30, 50),)
    """
    inverted = 0
    edges: list[PixelBox] = []
    visible: list[int] = []
    # number by number: most expressions have one box, for which arrays take ten times as long
    for index, (x1, y1, x2, y2) in enumerate(boxes):
        inverted += x1 > x2 or y1 > y2
        left, right = _clamped(x1, x2, image_size[0])
        top, bottom = _clamped(y1, y2, image_size[1])
        edges.append((_rounded(left), _rounded(top), _rounded(right), _rounded(bottom)))
        if right - left >= MIN_SIDE_PX and bottom - top >= MIN_SIDE_PX:
            visible.append(index)

    ranked = sorted(visible, key=lambda i: _rank(scores[i]), reverse=True)
    kept = sorted(_without_duplicates(edges, ranked))
    return CleanedBoxes(
        boxes=tuple(edges[i] for i in kept),
        kept=tuple(kept),
        inverted=inverted,
        degenerate=len(edges) - len(visible),
        duplicate=len(visible) - len(kept),
    )


def refuse_unusable(stated: Sequence[_Box], decoded: Sequence[_Box], cleaned: CleanedBoxes) -> None:
    """Refuses an expression's boxes if none is left, or if one box creeps over the image.

    Args:
        stated: four numbers each, as the model wrote them.
        decoded: the same boxes in pixels of the upright original.
        cleaned: what is left of them.

    Raises:
        SampleFailure: `coordinates` if none is left of boxes that are more than a way to say "none" (four zeros, or
            four times -1); `unparsable` if `MAX_CREEP` boxes follow each other so.
    """
    if len(decoded) >= MAX_CREEP and longest_creep(decoded) >= MAX_CREEP:
        raise SampleFailure(
            Reason.UNPARSABLE,
            f"The reply moves one box on {MAX_CREEP} times or more: the model repeats itself.",
        )
    real = [box for box in stated if len(set(box)) > 1 or box[0] > 0]
    if real and not cleaned.boxes:
        raise SampleFailure(
            Reason.COORDINATES,
            f"Nothing is left of the box {list(real[0])}: it is a line or a point, or lies outside the image.",
        )


def _clamped(first: float, second: float, limit: float) -> tuple[float, float]:
    """The two in order, each between 0 and the limit."""
    low, high = (first, second) if first <= second else (second, first)
    return min(max(low, 0.0), limit), min(max(high, 0.0), limit)


def _rounded(value: float) -> int:
    return math.floor(value + 0.5)


def _rank(score: float | None) -> float:
    return -1.0 if score is None else score


def _without_duplicates(edges: Sequence[PixelBox], ranked: list[int]) -> list[int]:
    if len(ranked) < 2:
        return ranked
    every, kept = np.asarray(edges), ranked[:1]
    for index in ranked[1:]:
        if iou_xyxy(every[index], every[kept]).max() <= DUPLICATE_IOU:
            kept.append(index)
    return kept

"""The figures: what each is a ratio of."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from grounding_assets.core.evaluation.counts import Bin, Count

Unit = Literal["%", ""]
"""Shares are shown in per cent."""


@dataclass(frozen=True, slots=True)
class Metric:
    """The sum of `numerator` over that of its `denominator`, or over the mean of two, which makes an F1."""

    name: str
    label: str
    numerator: Count
    denominator: tuple[Count, ...]
    of: str
    """What the denominator counts, for the table."""
    unit: Unit = "%"

    @property
    def sliced(self) -> bool:
        """Whether it is known for slices of gold expressions, too."""
        return Count.EXPRESSIONS not in self.denominator


_PREDICTED, _GOLD = (Count.EXPRESSIONS,), (Count.GOLD_EXPRESSIONS,)
_PAIRED, _STRICTLY = Count.PAIRED_EXPRESSIONS, Count.STRICTLY_PAIRED
_ANSWERED_OR_PRESENT = (Count.ANSWERED, Count.PRESENT)
METRICS = (
    Metric("expression_precision", "Expressions: precision", _PAIRED, _PREDICTED, "predicted expressions"),
    Metric("expression_recall", "Expressions: recall", _PAIRED, _GOLD, "gold expressions"),
    Metric("expression_f1", "Expressions: F1", _PAIRED, _PREDICTED + _GOLD, "expressions"),
    Metric(
        "expression_precision_strict",
        "Expressions: precision, by span",
        _STRICTLY,
        _PREDICTED,
        "predicted expressions",
    ),
    Metric("expression_recall_strict", "Expressions: recall, by span", _STRICTLY, _GOLD, "gold expressions"),
    Metric("expression_f1_strict", "Expressions: F1, by span", _STRICTLY, _PREDICTED + _GOLD, "expressions"),
    # R@1 with any gold box: the ANY-BOX protocol of MDETR's and GLIP's evaluation of Flickr30k Entities
    Metric("r1_50", "R@1, IoU 0.5", Count.TOP_1_50, (Count.PRESENT,), "present expressions"),
    Metric("r1_75", "R@1, IoU 0.75", Count.TOP_1_75, (Count.PRESENT,), "present expressions"),
    Metric("box_recall_50", "Boxes: recall, IoU 0.5", Count.HITS_50, (Count.GOLD_BOXES,), "gold boxes"),
    Metric(
        "box_recall_50_strict",
        "Boxes: recall, IoU 0.5, by span",
        Count.STRICT_HITS_50,
        (Count.STRICT_GOLD_BOXES,),
        "gold boxes",
    ),
    Metric("box_recall_75", "Boxes: recall, IoU 0.75", Count.HITS_75, (Count.GOLD_BOXES,), "gold boxes"),
    Metric("box_precision_50", "Boxes: precision, IoU 0.5", Count.HITS_50, (Count.BOXES,), "predicted boxes"),
    # F1 over expressions; right: at least one box is
    Metric(
        "any_box_f1", "Any-box F1", Count.ANY_HIT, _ANSWERED_OR_PRESENT, "answered and present expressions"
    ),
    # right: the boxes are gold's, none missing, none too many, as in GREC's F1 = 1 (He et al. 2023)
    Metric(
        "all_box_f1", "All-box F1", Count.ALL_HIT, _ANSWERED_OR_PRESENT, "answered and present expressions"
    ),
    Metric("mean_iou", "Mean IoU of matches", Count.IOU_SUM, (Count.HITS_50,), "matches at IoU 0.5", unit=""),
    Metric("absent_rejected", "Absent rejected", Count.REJECTED, (Count.ABSENT,), "absent expressions"),
)
BY_NAME = {metric.name: metric for metric in METRICS}
_NUMERATORS = np.array(
    [[len(m.denominator) * (count == m.numerator) for m in METRICS] for count in Count], dtype=float
)
_DENOMINATORS = np.array([[count in m.denominator for m in METRICS] for count in Count], dtype=float)


def digits(value: float, unit: Unit, sign: str = "") -> str:
    """A number without its unit, shares in per cent; `sign`: `+`, to show it always."""
    return f"{100 * value:{sign}.1f}" if unit else f"{value:{sign}.3f}"


def ratios(counts: np.ndarray) -> np.ndarray:
    """Values of `METRICS`, NaN if undefined; counts of shape (..., counts) give (..., metrics)."""
    numerators, denominators = counts @ _NUMERATORS, denominators_of(counts)
    undefined = np.full_like(numerators, np.nan)
    return np.divide(numerators, denominators, out=undefined, where=denominators > 0)


def denominators_of(counts: np.ndarray) -> np.ndarray:
    return counts @ _DENOMINATORS


def expected_calibration_error(bins: np.ndarray) -> np.ndarray:
    """Mean distance of a box's score and the share of hits in its bin (Guo et al. 2017), 0.0 to 1.0.

    Bins of shape (..., bins, 3) give shape (...); NaN without boxes. A hit is a match at IoU 0.5.
    """
    gaps = np.abs(bins[..., Bin.HITS] - bins[..., Bin.SCORE_SUM]).sum(axis=-1)
    boxes = bins[..., Bin.BOXES].sum(axis=-1)
    return np.divide(gaps, boxes, out=np.full_like(gaps, np.nan), where=boxes > 0)

"""What is counted of one sample, so that every figure is a ratio of sums.

Definitions, for a gold expression and the predicted one that stands for it (`spans`):

- *paired*: it has a partner (`spans.pair_expressions`): the spans overlap (*strictly*), or the head noun is the same.
- *present*: gold has boxes; *absent*: gold says that the image shows none. An expression of which gold
  says neither (status `not_mentioned` or `out_of_vocabulary`) is not judged, nor is a predicted
  expression without a gold partner.
- *answered*: judged, and boxes were predicted.
- *hit*: a predicted box matched one-to-one to a gold box (`boxes.match`).
- *rejected*: absent, the model looked (not `not_mentioned`, not `out_of_vocabulary`) and gave no box.
- *refuted*: a box predicted for a judged expression of which step 2 says that it does not show it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, auto

import numpy as np

from grounding_assets.core.boxes.geometry import iou_xyxy
from grounding_assets.core.dataset.annotated import AnnotatedSample
from grounding_assets.core.evaluation.boxes import match
from grounding_assets.core.evaluation.slices import SLICES, slices_of
from grounding_assets.core.evaluation.spans import Partner
from grounding_assets.core.records import Expression, GroundingStatus, Instance

BINS = 10
"""Reliability bins of equal width."""
ALL_SLICES = (("all", "all"), *((dimension, name) for dimension, names in SLICES.items() for name in names))
_ROW = {slice_: row for row, slice_ in enumerate(ALL_SLICES)}
_DID_NOT_LOOK = (GroundingStatus.NOT_MENTIONED, GroundingStatus.OUT_OF_VOCABULARY)


class Count(IntEnum):
    """Columns of the counts."""

    GOLD_EXPRESSIONS = 0
    EXPRESSIONS = auto()
    """Predicted; known for the slice of all only."""
    PAIRED_EXPRESSIONS = auto()
    STRICTLY_PAIRED = auto()
    """Of the paired: those whose spans overlap enough."""
    PRESENT = auto()
    ANSWERED = auto()
    TOP_1_50 = auto()
    """Present, and the box with the highest score (the first of equals) has an IoU of 0.5 with any gold box."""
    TOP_1_75 = auto()
    ANY_HIT = auto()
    """Present, with at least one hit at IoU 0.5."""
    ALL_HIT = auto()
    """Present, with every predicted and every gold box a hit at IoU 0.5."""
    GOLD_BOXES = auto()
    BOXES = auto()
    """Predicted for judged expressions."""
    HITS_50 = auto()
    HITS_75 = auto()
    STRICT_GOLD_BOXES = auto()
    """As `GOLD_BOXES`, counted only if step 0 is judged as well."""
    STRICT_HITS_50 = auto()
    """Hits at 0.5 of strictly paired expressions, counted likewise."""
    IOU_SUM = auto()
    """Of the hits at 0.5."""
    ABSENT = auto()
    REJECTED = auto()
    VERDICTS = auto()
    """Boxes with a yes or no of step 2."""
    REFUTED = auto()
    REFUTED_RIGHT = auto()
    """Refused, though any gold box of the expression overlaps with an IoU of 0.5."""


class Bin(IntEnum):
    """Columns of a reliability bin."""

    BOXES = 0
    SCORE_SUM = auto()
    HITS = auto()


@dataclass(frozen=True, slots=True)
class SampleCounts:
    counts: np.ndarray
    """Shape (slices, counts)."""
    bins: np.ndarray
    """Shape (bins, 3): boxes with a score of the model's own."""


def count_sample(
    gold: AnnotatedSample,
    result: AnnotatedSample | None,
    partners: Sequence[Partner | None],
    *,
    judge_expressions: bool,
) -> SampleCounts:
    """Judges one sample.

    Args:
        result: None for a sample without a result that counts as wrong.
        partners: `pair_expressions` of the two.
        judge_expressions: whether step 0 is judged as well.
    """
    sample = SampleCounts(np.zeros((len(ALL_SLICES), len(Count))), np.zeros((BINS, len(Bin))))
    for expression, partner in zip(gold.expressions, partners, strict=True):
        one = np.zeros(len(Count))
        found = None if result is None or partner is None else result.expressions[partner.position]
        predicted = found.instances if found else ()
        judged = _is_judged(expression) and (result is None or result.grounded)
        if judge_expressions:
            one[Count.GOLD_EXPRESSIONS] = 1
            one[Count.PAIRED_EXPRESSIONS] = partner is not None
            one[Count.STRICTLY_PAIRED] = partner is not None and partner.is_strict
        if judged and expression.instances:
            _count_present(one, sample.bins, expression.instances, predicted)
            if judge_expressions:
                one[Count.STRICT_GOLD_BOXES] = one[Count.GOLD_BOXES]
                one[Count.STRICT_HITS_50] = one[Count.HITS_50] if partner and partner.is_strict else 0
        elif judged and (result is None or found):
            one[Count.ABSENT] = 1
            one[Count.ANSWERED] = bool(predicted)
            one[Count.BOXES] = len(predicted)
            looked = found is not None and found.grounding_status not in _DID_NOT_LOOK
            one[Count.REJECTED] = looked and not predicted
            _count_verdicts(one, predicted, np.zeros(len(predicted)))
            _count_reliability(sample.bins, predicted, np.full(len(predicted), -1))
        for slice_ in (ALL_SLICES[0], *slices_of(expression, judged=judged)):
            sample.counts[_ROW[slice_]] += one
    if judge_expressions and result is not None:
        sample.counts[0, Count.EXPRESSIONS] = len(result.expressions)
    return sample


def _is_judged(expression: Expression) -> bool:
    return bool(expression.instances) or expression.grounding_status not in _DID_NOT_LOOK


def _count_present(
    one: np.ndarray, bins: np.ndarray, gold: Sequence[Instance], predicted: Sequence[Instance]
) -> None:
    one[Count.PRESENT] = 1
    one[Count.GOLD_BOXES] = len(gold)
    if not predicted:
        return
    scores = [instance.score for instance in predicted]
    ious = iou_xyxy([i.bbox for i in predicted], [i.bbox for i in gold])
    top = ious[int(np.argmax(scores))].max()
    at_50, at_75 = match(ious, scores, 0.5), match(ious, scores, 0.75)
    hits = np.flatnonzero(at_50 >= 0)
    one[Count.ANSWERED] = 1
    one[Count.BOXES] = len(predicted)
    one[Count.TOP_1_50] = top >= 0.5
    one[Count.TOP_1_75] = top >= 0.75
    one[Count.HITS_50] = len(hits)
    one[Count.HITS_75] = np.count_nonzero(at_75 >= 0)
    one[Count.IOU_SUM] = ious[hits, at_50[hits]].sum()
    one[Count.ANY_HIT] = len(hits) > 0
    one[Count.ALL_HIT] = len(hits) == len(predicted) == len(gold)
    _count_verdicts(one, predicted, ious.max(axis=1))
    _count_reliability(bins, predicted, at_50)


def _count_verdicts(one: np.ndarray, predicted: Sequence[Instance], overlaps: np.ndarray) -> None:
    """`overlaps`: the greatest IoU of each box with any gold box of its expression."""
    for instance, overlap in zip(predicted, overlaps, strict=True):
        one[Count.VERDICTS] += isinstance(instance.verified, bool)
        if instance.verified is False:
            one[Count.REFUTED] += 1
            one[Count.REFUTED_RIGHT] += overlap >= 0.5


def _count_reliability(bins: np.ndarray, predicted: Sequence[Instance], matched: np.ndarray) -> None:
    for instance, gold in zip(predicted, matched, strict=True):
        if instance.score_source == "model":
            row = bins[min(int(instance.score * BINS), BINS - 1)]
            row += (1, instance.score, gold >= 0)

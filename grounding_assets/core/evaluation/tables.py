"""Figures as rows of text, for a terminal table. The command draws the table."""

from grounding_assets.core.evaluation.comparison import Comparison, Difference
from grounding_assets.core.evaluation.evaluation import Evaluation, Figure
from grounding_assets.core.evaluation.metrics import METRICS, Metric
from grounding_assets.core.evaluation.verification_effect import VerificationEffect

NONE = "n/a"
SLICE_METRICS = ("r1_50", "box_recall_50", "box_recall_75", "all_box_f1", "mean_iou", "absent_rejected")
"""What a row of the slices shows."""


def figure_rows(evaluation: Evaluation) -> list[tuple[str, str, str, str]]:
    """(figure, value, interval, of how many), with a header first; figures without a case are left out."""
    confidence = f"{100 * evaluation.resampling.confidence:g} %"
    rows = [("Figure", "Value", confidence, "Of")]
    for metric in METRICS:
        figure = evaluation.overall[metric.name]
        if figure.of:
            rows.append((metric.label, *_value_and_interval(figure, metric), f"{figure.of:,} {metric.of}"))
    error = evaluation.calibration_error
    if error.of:
        ends = NONE if error.low is None else f"{error.low:.3f} to {error.high:.3f}"
        rows.append(("Calibration error (ECE)", f"{error.value:.3f}", ends, f"{error.of:,} scored boxes"))
    totals = evaluation.tally.totals
    coverage = f"{totals.gold - totals.without_result:,} of {totals.gold:,} gold samples"
    for lines, what in ((totals.repeated_gold, "of gold"), (totals.repeated, "of the results")):
        if lines:
            rows.append(("Repeated lines", f"{lines:,}", "", f"{what}, about a sample that came before"))
    if totals.other_size:
        rows.append(("Not judged", f"{totals.other_size:,}", "", "gold samples of images of another size"))
    rows.append(("Samples with a result", f"{100 * evaluation.coverage:.1f} %", "", coverage))
    return rows


def slice_rows(evaluation: Evaluation) -> list[tuple[str, ...]]:
    """(slice, name, expressions, then `SLICE_METRICS`), with a header first; empty slices are left out."""
    metrics = [metric for name in SLICE_METRICS for metric in METRICS if metric.name == name]
    rows: list[tuple[str, ...]] = [("Slice", "", "Expressions", *(metric.label for metric in metrics))]
    for dimension, names in evaluation.slices.items():
        for name, figures in names.items():
            cases = figures["r1_50"].of + figures["absent_rejected"].of
            if cases:
                values = (_value(figures[metric.name].value, metric) for metric in metrics)
                rows.append((dimension, name, f"{cases:,}", *values))
    return rows


def comparison_rows(comparison: Comparison, first: str, second: str) -> list[tuple[str, ...]]:
    """(figure, first, second, difference, interval), with a header first."""
    confidence = f"{100 * comparison.resampling.confidence:g} %"
    rows: list[tuple[str, ...]] = [("Figure", first, second, "Difference", confidence)]
    for metric in METRICS:
        one = comparison.overall[metric.name]
        if one.first is not None or one.second is not None:
            values = (_value(value, metric) for value in (one.first, one.second))
            rows.append((metric.label, *values, *_signed(one, metric)))
    return rows


def verification_rows(effect: VerificationEffect) -> list[tuple[str, ...]]:
    """`comparison_rows` of all boxes and of those that step 2 did not refute."""
    return comparison_rows(effect.comparison, "all boxes", "without refuted")


def verification_words(effect: VerificationEffect) -> str:
    """How many boxes were refuted, and how many of these rightly."""
    counts = {name: f"{count:,}" for name, count in effect.counts.items()}
    return (
        "Verification said yes or no to {verdicts} of {boxes} judged boxes and refuted {refuted}, "
        "of which {refuted_wrong} are wrong and {refuted_right} right."
    ).format(**counts)


def _value_and_interval(figure: Figure, metric: Metric) -> tuple[str, str]:
    if figure.low is None or figure.high is None:
        return _value(figure.value, metric), NONE
    low, high = (_plain(end, metric) for end in (figure.low, figure.high))
    return _value(figure.value, metric), f"{low} to {high}"


def _value(value: float | None, metric: Metric) -> str:
    if value is None:
        return NONE
    return _plain(value, metric) + (" %" if metric.unit == "%" else "")


def _plain(value: float, metric: Metric) -> str:
    return f"{100 * value:.1f}" if metric.unit == "%" else f"{value:.3f}"


def _signed(one: Difference, metric: Metric) -> tuple[str, str]:
    scale, digits = (100, 1) if metric.unit == "%" else (1, 3)
    if one.difference is None:
        return NONE, NONE
    difference = f"{scale * one.difference:+.{digits}f}"
    if one.low is None or one.high is None:
        return difference, NONE
    return difference, f"{scale * one.low:+.{digits}f} to {scale * one.high:+.{digits}f}"

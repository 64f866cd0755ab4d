"""Figures as rows of text, for a terminal table. The command draws the table."""

from grounding_assets.core.evaluation.comparison import Comparison
from grounding_assets.core.evaluation.evaluation import Evaluation
from grounding_assets.core.evaluation.metrics import BY_NAME, METRICS, Unit, digits
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
            shown = (
                value_words(figure.value, metric.unit),
                interval_words(figure.low, figure.high, metric.unit),
            )
            rows.append((metric.label, *shown, f"{figure.of:,} {metric.of}"))
    error = evaluation.calibration_error
    if error.of:
        shown = value_words(error.value, ""), interval_words(error.low, error.high, "")
        rows.append(("Calibration error (ECE)", *shown, f"{error.of:,} scored boxes"))
    totals = evaluation.tally.totals
    coverage = f"{totals.gold - totals.without_result:,} of {totals.gold:,} gold samples"
    for lines, what in ((totals.repeated_gold, "of gold"), (totals.repeated, "of the results")):
        if lines:
            rows.append(("Repeated lines", f"{lines:,}", "", f"{what}, about a sample that came before"))
    if totals.other_size:
        rows.append(
            (
                "Other image size",
                f"{totals.other_size:,}",
                "",
                "gold samples, without a result in their pixels",
            )
        )
    rows.append(("Samples with a result", f"{100 * evaluation.coverage:.1f} %", "", coverage))
    return rows


def slice_rows(evaluation: Evaluation) -> list[tuple[str, ...]]:
    """(slice, name, expressions, then `SLICE_METRICS`), with a header first; empty slices are left out."""
    metrics = [BY_NAME[name] for name in SLICE_METRICS]
    rows: list[tuple[str, ...]] = [("Slice", "", "Expressions", *(metric.label for metric in metrics))]
    for dimension, names in evaluation.slices.items():
        for name, figures in names.items():
            cases = figures["r1_50"].of + figures["absent_rejected"].of
            if cases:
                values = (value_words(figures[metric.name].value, metric.unit) for metric in metrics)
                rows.append((dimension, name, f"{cases:,}", *values))
    return rows


def comparison_rows(comparison: Comparison, first: str, second: str) -> list[tuple[str, ...]]:
    """(figure, first, second, difference, interval), with a header first."""
    confidence = f"{100 * comparison.resampling.confidence:g} %"
    rows: list[tuple[str, ...]] = [("Figure", first, second, "Difference", confidence)]
    for metric in METRICS:
        one = comparison.overall[metric.name]
        if one.first is not None or one.second is not None:
            values = (value_words(value, metric.unit) for value in (one.first, one.second))
            gap = NONE if one.difference is None else digits(one.difference, metric.unit, "+")
            rows.append((metric.label, *values, gap, interval_words(one.low, one.high, metric.unit, "+")))
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


def value_words(value: float | None, unit: Unit) -> str:
    """With its unit; `NONE` if it is undefined."""
    return NONE if value is None else f"{digits(value, unit)} {unit}".rstrip()


def interval_words(low: float | None, high: float | None, unit: Unit, sign: str = "") -> str:
    """Without a unit; `NONE` if it is undefined."""
    if low is None or high is None:
        return NONE
    return f"{digits(low, unit, sign)} to {digits(high, unit, sign)}"

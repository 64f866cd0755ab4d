"""The report's section "Measured on gold": figures and plots of an evaluation of these very annotations."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from grounding_assets.core.errors import InputError
from grounding_assets.core.evaluation.evaluation import Figure
from grounding_assets.core.evaluation.metrics import BY_NAME, Unit
from grounding_assets.core.evaluation.results import EVALUATION, sha256_of
from grounding_assets.core.evaluation.tables import interval_words, value_words
from grounding_assets.core.evaluation.written import WrittenEvaluation, read_evaluation
from grounding_assets.core.report.evaluation_plots import (
    CalibrationPlot,
    SlicePlot,
    calibration_plot,
    slice_plot,
)

HEADLINES = (
    "expression_f1",
    "r1_50",
    "box_recall_50",
    "box_precision_50",
    "all_box_f1",
    "mean_iou",
    "absent_rejected",
)
BY_SLICE = "r1_50"
"""The figure that is drawn by slice."""


@dataclass(frozen=True, slots=True)
class GoldSection:
    """Figures and plots are there only if the evaluation is of the annotations that the page shows."""

    note: str
    confidence: str = ""
    """Of the intervals, such as `95 %`."""
    figures: tuple[tuple[str, str, str], ...] = ()
    """What, value, and interval, which is empty if there is none."""
    calibration: CalibrationPlot | None = None
    by_slice: SlicePlot | None = None


def gold_section(results_dir: Path) -> GoldSection | None:
    """What `evaluation.json` says of `annotations.jsonl`, both in `results_dir`; None if nothing was measured.

    An evaluation of other annotations, or one that cannot be read, is a note without figures.
    """
    file = results_dir / EVALUATION
    if not file.is_file():
        return None
    try:
        written = read_evaluation(file)
        current = written.results_sha256 == sha256_of(results_dir / "annotations.jsonl")
        gold = Path(written.gold)
        same_gold = not gold.is_file() or written.gold_sha256 in ("", sha256_of(gold))
    except InputError as error:
        return GoldSection(str(error))
    if not same_gold:
        return GoldSection(
            f"{gold.name} has changed since {EVALUATION} was written; run auto_label evaluate again."
        )
    if not current:
        return GoldSection(
            f"{EVALUATION} is of earlier annotations than these; run auto_label evaluate again."
        )
    return GoldSection(
        note=_note(written),
        confidence=f"{100 * written.resampling.confidence:g} %",
        figures=tuple(_figures(written)),
        calibration=calibration_plot(written.reliability),
        by_slice=slice_plot(
            written.overall.get(BY_SLICE),
            {
                dimension: {name: figures[BY_SLICE] for name, figures in names.items() if BY_SLICE in figures}
                for dimension, names in written.slices.items()
            },
        ),
    )


def _note(written: WrittenEvaluation) -> str:
    samples = written.samples
    parts = [f"{Path(written.gold).name}: {samples.judged:,} of {samples.gold:,} gold samples judged"]
    if written.options.steps == "step_1":
        parts.append("boxes alone, on gold's own expressions")
    if written.options.missing == "wrong":
        parts.append("samples without a result count as wrong")
    if written.options.min_span_iou != 0.5:
        parts.append(f"spans that overlap by {written.options.min_span_iou:g} count as the same expression")
    return " · ".join(parts)


def _figures(written: WrittenEvaluation) -> Iterator[tuple[str, str, str]]:
    shown: list[tuple[str, Figure | None, Unit]] = [
        (BY_NAME[name].label, written.overall.get(name), BY_NAME[name].unit) for name in HEADLINES
    ]
    shown.append(("Calibration error", written.calibration_error, ""))
    for label, one, unit in shown:
        if one is not None and one.value is not None:
            interval = "" if one.low is None else interval_words(one.low, one.high, unit)
            yield label, value_words(one.value, unit), interval

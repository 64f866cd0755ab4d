"""From a tally to figures with intervals."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, TypeVar

import numpy as np
from pydantic import Field

from grounding_assets.core.evaluation.bootstrap import Resampling, intervals
from grounding_assets.core.evaluation.counts import ALL_SLICES, BINS, Bin
from grounding_assets.core.evaluation.metrics import (
    METRICS,
    denominators_of,
    expected_calibration_error,
    ratios,
)
from grounding_assets.core.evaluation.tally import JudgeOptions, Tally, tally

FORMAT = 1
Share = Annotated[float, Field(ge=0, le=1)]
Cases = Annotated[int, Field(ge=0)]
FigureT = TypeVar("FigureT")


@dataclass(frozen=True, slots=True)
class Figure:
    """A value and its interval. None: undefined, for want of a case or, for an interval, of a second image."""

    value: Share | None
    low: Share | None
    high: Share | None
    of: Cases
    """How many cases the value is over."""


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Boxes of about the same score. A calibrated score equals the share of hits."""

    low: Share
    high: Share
    """Scores from `low` to below `high`, 1.0 included in the last."""
    boxes: Cases
    mean_score: Share | None
    hit_share: Share | None


@dataclass(frozen=True)
class Evaluation:
    """All figures of one result. Names are those of `metrics.METRICS`."""

    tally: Tally
    """For `compare`; not written."""
    resampling: Resampling
    overall: Mapping[str, Figure]
    slices: Mapping[str, Mapping[str, Mapping[str, Figure]]]
    """By dimension and name of the slice."""
    calibration_error: Figure
    """Over boxes whose score is the model's own; None if it gave none. Few boxes make it too large, and
    its interval too high, since chance differences in a bin count as error."""
    reliability: tuple[ReliabilityBin, ...]

    @property
    def coverage(self) -> float:
        """Share of the gold samples that have a result."""
        return 1 - self.tally.totals.without_result / self.tally.totals.gold

    def to_dict(self) -> dict[str, Any]:
        """For `evaluation.json`."""
        return {
            "format": FORMAT,
            "options": asdict(self.tally.options),
            "resampling": asdict(self.resampling),
            "samples": asdict(self.tally.totals) | {"coverage": self.coverage},
            "overall": _to_dicts(self.overall),
            "slices": {
                dimension: {name: _to_dicts(figures) for name, figures in names.items()}
                for dimension, names in self.slices.items()
            },
            "calibration_error": asdict(self.calibration_error),
            "reliability": [asdict(one) for one in self.reliability],
        }


def evaluate(
    gold: Iterable[Mapping[str, Any]],
    results: Iterable[Mapping[str, Any]],
    options: JudgeOptions | None = None,
    resampling: Resampling | None = None,
    *,
    drop_refuted: bool = False,
) -> Evaluation:
    """Figures of one result; see `tally.tally` for the arguments and errors, `metrics` for the figures."""
    return summarize(tally(gold, results, options or JudgeOptions(), drop_refuted=drop_refuted), resampling)


def summarize(judged: Tally, resampling: Resampling | None = None) -> Evaluation:
    """Figures of a tally."""
    resampling = resampling or Resampling()
    counts, bins = judged.per_image()
    totals, bin_totals = counts.sum(axis=0), bins.sum(axis=0)
    values, cases = ratios(totals), denominators_of(totals)
    lows, highs = intervals(counts, ratios, np.count_nonzero(denominators_of(counts), axis=0), resampling)

    def figure(*at: int) -> Figure:
        return Figure(number(values[at]), number(lows[at]), number(highs[at]), int(cases[at]))

    overall, slices = by_slice(figure)
    error = expected_calibration_error(bin_totals[None])
    scored = np.count_nonzero(bins[..., Bin.BOXES].sum(axis=-1), axis=0)
    low, high = intervals(bins, expected_calibration_error, scored, resampling)
    return Evaluation(
        tally=judged,
        resampling=resampling,
        overall=overall,
        slices=slices,
        calibration_error=Figure(
            number(error[0]), number(low), number(high), int(bin_totals[:, Bin.BOXES].sum())
        ),
        reliability=tuple(_reliability_bin(k, row) for k, row in enumerate(bin_totals)),
    )


def by_slice(
    make: Callable[[int, int], FigureT],
) -> tuple[dict[str, FigureT], dict[str, dict[str, dict[str, FigureT]]]]:
    """What is made of each row of `ALL_SLICES` and position in `METRICS`: by metric over all, and for each slice."""
    overall, *rows = (
        {metric.name: make(row, m) for m, metric in enumerate(METRICS) if row == 0 or metric.sliced}
        for row in range(len(ALL_SLICES))
    )
    slices: dict[str, dict[str, dict[str, FigureT]]] = {}
    for (dimension, name), row in zip(ALL_SLICES[1:], rows, strict=True):
        slices.setdefault(dimension, {})[name] = row
    return overall, slices


def number(value: Any) -> float | None:
    """A plain float, None for NaN."""
    return None if np.isnan(value) else float(value)


def _reliability_bin(position: int, row: np.ndarray) -> ReliabilityBin:
    boxes = row[Bin.BOXES]
    return ReliabilityBin(
        low=position / BINS,
        high=(position + 1) / BINS,
        boxes=int(boxes),
        mean_score=float(row[Bin.SCORE_SUM] / boxes) if boxes else None,
        hit_share=float(row[Bin.HITS] / boxes) if boxes else None,
    )


def _to_dicts(figures: Mapping[str, Figure]) -> dict[str, Any]:
    return {name: asdict(figure) for name, figure in figures.items()}

"""From a tally to figures with intervals."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from grounding_assets.core.errors import SpecError
from grounding_assets.core.evaluation.bootstrap import interval, resampled
from grounding_assets.core.evaluation.counts import ALL_SLICES, BINS, Bin, KeepInstance
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


@dataclass(frozen=True, slots=True)
class Resampling:
    """How intervals are made."""

    resamples: int = 2000
    confidence: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if self.resamples < 100 or not 0 < self.confidence < 1:
            raise SpecError("Give at least 100 resamples and a confidence between 0 and 1.")


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
    keep_instance: KeepInstance | None = None,
) -> Evaluation:
    """Figures of one result; see `tally.tally` for the arguments and errors, `metrics` for the figures."""
    return summarize(tally(gold, results, options or JudgeOptions(), keep_instance), resampling)


def summarize(judged: Tally, resampling: Resampling | None = None) -> Evaluation:
    """Figures of a tally."""
    resampling = resampling or Resampling()
    counts, bins = judged.per_image()
    totals, bin_totals = counts.sum(axis=0), bins.sum(axis=0)
    rows = figures_of_slices(
        ratios(totals),
        denominators_of(totals),
        _intervals(counts, ratios, _with_cases(denominators_of(counts)), resampling),
    )
    error = expected_calibration_error(bin_totals[None])
    scored = _with_cases(bins[..., Bin.BOXES].sum(axis=-1))
    low, high = _intervals(bins, expected_calibration_error, scored, resampling)
    slices: dict[str, dict[str, Mapping[str, Figure]]] = {}
    for (dimension, name), row in list(zip(ALL_SLICES, rows, strict=True))[1:]:
        sliced = {metric.name: row[metric.name] for metric in METRICS if metric.sliced}
        slices.setdefault(dimension, {})[name] = sliced
    return Evaluation(
        tally=judged,
        resampling=resampling,
        overall=rows[0],
        slices=slices,
        calibration_error=Figure(
            number(error[0]), number(low), number(high), int(bin_totals[:, Bin.BOXES].sum())
        ),
        reliability=tuple(_reliability_bin(k, row) for k, row in enumerate(bin_totals)),
    )


def figures_of_slices(
    values: np.ndarray, denominators: np.ndarray, ends: tuple[np.ndarray, np.ndarray]
) -> list[dict[str, Figure]]:
    """Arrays of shape (slices, metrics) as figures by name, for each slice."""
    return [
        {
            metric.name: Figure(number(value[m]), number(low[m]), number(high[m]), int(of[m]))
            for m, metric in enumerate(METRICS)
        }
        for value, low, high, of in zip(values, *ends, denominators, strict=True)
    ]


def number(value: Any) -> float | None:
    """A plain float, None for NaN."""
    return None if np.isnan(value) else float(value)


def _with_cases(denominators: np.ndarray) -> np.ndarray:
    """How many images have a case, for each figure."""
    return np.count_nonzero(denominators, axis=0)


def _intervals(
    per_image: np.ndarray, figures: Any, with_cases: np.ndarray, resampling: Resampling
) -> tuple[np.ndarray, np.ndarray]:
    if len(per_image) < 2:
        undefined = np.full(figures(per_image).shape[1:], np.nan)
        return undefined, undefined
    replicates = resampled(per_image, figures, resampling.resamples, resampling.seed)
    return interval(replicates, resampling.confidence, with_cases)


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

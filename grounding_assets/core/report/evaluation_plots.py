"""Geometry of the two plots about gold: scores against truth, and a figure with its interval by slice.

All positions are SVG units of the plot's own view box, rounded to two places; the template draws them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grounding_assets.core.evaluation.evaluation import Figure, ReliabilityBin

FEW = 10
"""A dot over fewer cases is drawn hollow: its place is mostly chance."""
_LABEL_CHARS = 14

WIDTH = 340
"""Of either plot, so that their labels are of one size."""

# calibration: scores from left to right and shares upwards, below that a strip with a bar of each bin's boxes
_LEFT, _TOP, _RIGHT_MARGIN, _SHARES_HEIGHT = 42, 8, 14, 170
_SCORES_WIDTH = WIDTH - _LEFT - _RIGHT_MARGIN
_STRIP_BASE, _STRIP_HEIGHT = _TOP + _SHARES_HEIGHT + 66, 26

# slices: labels, whiskers, and how many cases
_SCALE_LEFT, _CASES_WIDTH = 96, 52
_SCALE_WIDTH = WIDTH - _SCALE_LEFT - _CASES_WIDTH
_ROW_HEIGHT, _GROUP_GAP = 19, 6


@dataclass(frozen=True, slots=True)
class CalibrationPoint:
    """A bin that has boxes."""

    x: float
    """Of its mean score."""
    y: float
    """Of its share of right boxes."""
    diagonal_y: float
    """Its place if scores were shares."""
    few: bool
    bar_x: float
    bar_y: float
    bar_width: float
    bar_height: float
    count: str
    """Its boxes, short enough for the bar."""
    text: str


@dataclass(frozen=True, slots=True)
class CalibrationPlot:
    """The frame of scores and shares, the strip of bars below it, and what lies in both."""

    left: float
    right: float
    top: float
    bottom: float
    strip_base: float
    width: float
    height: float
    points: tuple[CalibrationPoint, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True)
class SliceRow:
    """One whisker. `low` and `high` are None if there is no interval."""

    y: float
    label: str
    cases: str
    value: float
    low: float | None
    high: float | None
    few: bool
    text: str


@dataclass(frozen=True, slots=True)
class SlicePlot:
    """Rows of whiskers in groups; `left` and `right` are where 0 and 1 lie."""

    left: float
    right: float
    width: float
    height: float
    bottom: float
    """Of the rows; ticks are below."""
    overall: float | None
    """Where the value over all lies."""
    headings: tuple[tuple[float, str], ...]
    """(y, `all` or the name of a dimension)."""
    rows: tuple[SliceRow, ...]
    ticks: tuple[tuple[float, str], ...]


def calibration_plot(bins: Sequence[ReliabilityBin]) -> CalibrationPlot | None:
    """The share of right boxes by score; None if no box has a score of the model's own."""
    highest = max((one.boxes for one in bins), default=0)
    points = tuple(point for one in bins if (point := _calibration_point(one, highest)) is not None)
    if not points:
        return None
    fifths = [n / 5 for n in range(6)]
    return CalibrationPlot(
        left=_LEFT,
        right=_LEFT + _SCORES_WIDTH,
        top=_TOP,
        bottom=_TOP + _SHARES_HEIGHT,
        strip_base=_STRIP_BASE,
        width=WIDTH,
        height=_STRIP_BASE + 20,
        points=points,
        x_ticks=tuple((_score_x(fifth), f"{fifth:.1f}") for fifth in fifths),
        y_ticks=tuple((_share_y(fifth), f"{fifth:.0%}") for fifth in fifths),
    )


def _calibration_point(one: ReliabilityBin, highest: int) -> CalibrationPoint | None:
    if not one.boxes or one.mean_score is None or one.hit_share is None:
        return None
    height = max(one.boxes / highest * _STRIP_HEIGHT, 1.5)
    left, right = _score_x(one.low) + 1, _score_x(one.high) - 1
    plural = "" if one.boxes == 1 else "es"
    return CalibrationPoint(
        x=_score_x(one.mean_score),
        y=_share_y(one.hit_share),
        diagonal_y=_share_y(one.mean_score),
        few=one.boxes < FEW,
        bar_x=round(left, 2),
        bar_y=round(_STRIP_BASE - height, 2),
        bar_width=round(max(right - left, 0.0), 2),
        bar_height=round(height, 2),
        count=_short_count(one.boxes),
        text=(
            f"score {one.low:.1f} to {one.high:.1f}: {one.boxes:,} box{plural}, "
            f"mean score {one.mean_score:.2f}, {one.hit_share:.0%} right"
        ),
    )


def slice_plot(overall: Figure | None, slices: Mapping[str, Mapping[str, Figure]]) -> SlicePlot | None:
    """A figure by slice, given by dimension and name; slices without a case are left out. None without a case."""
    headings: list[tuple[float, str]] = []
    rows: list[SliceRow] = []
    y = 0.0
    if overall is not None and overall.value is not None:
        y = _ROW_HEIGHT / 2
        headings.append((y, "all"))
        rows.append(_slice_row(y, "all", "", overall, overall.value))
    for dimension, figures in slices.items():
        shown = [(name, one, one.value) for name, one in figures.items() if one.of and one.value is not None]
        if not shown:
            continue
        y += _ROW_HEIGHT + _GROUP_GAP if rows else _ROW_HEIGHT / 2
        headings.append((y, _cut(dimension)))
        for name, one, value in shown:
            y += _ROW_HEIGHT
            rows.append(_slice_row(y, dimension, name, one, value))
    if not rows:
        return None
    bottom = y + _ROW_HEIGHT / 2
    quarters = [n / 4 for n in range(5)]
    return SlicePlot(
        left=_SCALE_LEFT,
        right=_SCALE_LEFT + _SCALE_WIDTH,
        width=WIDTH,
        height=bottom + 22,
        bottom=bottom,
        overall=None if overall is None or overall.value is None else _scale_x(overall.value),
        headings=tuple(headings),
        rows=tuple(rows),
        ticks=tuple((_scale_x(quarter), f"{quarter:.0%}") for quarter in quarters),
    )


def _slice_row(y: float, dimension: str, name: str, one: Figure, value: float) -> SliceRow:
    what = f"{dimension} {name}".strip()
    interval = "" if one.low is None or one.high is None else f" ({one.low:.1%} to {one.high:.1%})"
    plural = "" if one.of == 1 else "s"
    return SliceRow(
        y=y,
        label=_cut(name),
        cases=_short_count(one.of),
        value=_scale_x(value),
        low=None if one.low is None else _scale_x(one.low),
        high=None if one.high is None else _scale_x(one.high),
        few=one.of < FEW,
        text=f"{what}: {value:.1%}{interval}, {one.of:,} expression{plural}",
    )


def _score_x(score: float) -> float:
    return round(_LEFT + score * _SCORES_WIDTH, 2)


def _share_y(share: float) -> float:
    return round(_TOP + (1 - share) * _SHARES_HEIGHT, 2)


def _scale_x(share: float) -> float:
    return round(_SCALE_LEFT + share * _SCALE_WIDTH, 2)


def _cut(label: str) -> str:
    """So that it stays left of the scale."""
    return label if len(label) <= _LABEL_CHARS else label[: _LABEL_CHARS - 1] + "…"


def _short_count(count: int) -> str:
    """Four characters at most up to a million: 950, 1.2k, 35k."""
    for limit, unit in ((999_500, "M"), (1_000, "k")):
        if count >= limit:
            size = count / (1e6 if unit == "M" else 1e3)
            return f"{size:.1f}{unit}" if size < 9.95 else f"{size:.0f}{unit}"
    return str(count)

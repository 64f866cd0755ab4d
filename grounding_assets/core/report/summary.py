"""The summary of a set: headline facts, reasons of failure, and small histograms.

A histogram is bars of an SVG whose view box is `PLOT_SIZE`; the template draws it. Counting is done in
`figures`.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import floor, log10

from grounding_assets.core.report.doubt import HUGE_SHARE, LOW_SCORE, MANY_BOXES, TINY_SHARE
from grounding_assets.core.report.figures import Distribution, Figures

PLOT_SIZE = (240, 124)
"""Width and height of a plot in SVG units; the last 16 of the height are for tick labels."""
_BASELINE = PLOT_SIZE[1] - 16
_SHARE_EDGES = (0.0, 0.0001, 0.0003, TINY_SHARE, 0.003, 0.01, 0.03, 0.1, 0.3, HUGE_SHARE)
_LINEAR_BINS = 12


@dataclass(frozen=True, slots=True)
class Bar:
    """One bin; `x`, `y`, `width`, `height` in SVG units."""

    x: float
    y: float
    width: float
    height: float
    text: str
    """What is counted and how many."""
    doubtful: bool
    """Whether a filter of the page finds these."""


@dataclass(frozen=True, slots=True)
class Plot:
    """One histogram with its caption."""

    title: str
    note: str
    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, str], ...]
    """(x in SVG units, label)."""


def facts(figures: Figures) -> list[tuple[str, str]]:
    """Label and value, in the order shown; what was never recorded is left out."""
    unboxed = figures.without_box.total()
    rows: list[tuple[str, str | None]] = [
        ("grounded", f"{figures.lines:,}"),
        ("failed", f"{figures.failures.total():,}"),
        ("expressions", f"{figures.expressions:,}"),
        ("boxes", f"{figures.boxes:,}"),
        ("without a box", _percent(unboxed, figures.grounded_expressions)),
        ("spans repaired", _percent(figures.repaired_spans, figures.expressions)),
        ("tokens in", _short(figures.tokens_in) if len(figures.tokens) else None),
        ("tokens out", _short(figures.tokens_out) if len(figures.tokens) else None),
        ("seconds, median", _short(figures.seconds.quantile(0.5)) if len(figures.seconds) else None),
    ]
    return [(label, value) for label, value in rows if value is not None]


def reasons(figures: Figures) -> list[tuple[str, list[tuple[str, int, float]]]]:
    """Why samples failed and why boxes lack: per kind the names, counts, and shares of the most frequent."""
    return [
        (kind, [(name.replace("_", " "), n, n / max(counts.values())) for name, n in counts.most_common(6)])
        for kind, counts in (
            ("Samples failed", figures.failures),
            ("Expressions without a box", figures.without_box),
        )
        if counts
    ]


def fact(value: object) -> str:
    """A further fact's value as it is shown."""
    return f"{value:,}" if isinstance(value, int) else str(value)


def _percent(part: int, whole: int) -> str | None:
    return f"{part / whole:.1%}" if whole else None


def plots(figures: Figures) -> list[Plot]:
    """The summary's histograms; one without numbers has no bars and says so."""
    unscored = f" · {figures.default_scores:,} default scores left out" if figures.default_scores else ""
    return [
        _histogram(
            "Boxes per expression",
            figures.boxes_per_expression,
            _Bins(range(MANY_BOXES + 2), form="{:g}".format, whole=True),
            doubtful=lambda edge: edge == 0 or edge > MANY_BOXES,
        ),
        _histogram(
            "Box area, share of the photo",
            figures.box_share,
            _Bins(_SHARE_EDGES, form=lambda share: f"{share * 100:.2g}%", last="100%"),
            doubtful=lambda edge: edge < TINY_SHARE or edge >= HUGE_SHARE,
        ),
        _histogram(
            "Score",
            figures.score,
            _Bins([n / 10 for n in range(10)], form="{:.2g}".format, last="1"),
            doubtful=lambda edge: edge < LOW_SCORE,
            remark=unscored,
        ),
        _histogram("Tokens per sample", figures.tokens, _nice_bins(figures.tokens)),
        _histogram("Seconds per sample", figures.seconds, _nice_bins(figures.seconds)),
    ]


@dataclass(frozen=True, slots=True)
class _Bins:
    """Bins `[edge, next edge)`, the last one open."""

    edges: Sequence[float]
    """Ascending; the first is at most the smallest number."""
    form: Callable[[float], str]
    """Writes a number."""
    last: str = ""
    """The label at the far end, if there is one."""
    whole: bool = False
    """Whether each bin is one whole number rather than a range."""

    def text(self, position: int) -> str:
        lower = self.form(self.edges[position])
        if position + 1 == len(self.edges):
            return f"{lower} to {self.last}" if self.last else f"{lower} or more"
        return lower if self.whole else f"{lower} to {self.form(self.edges[position + 1])}"

    def ticks(self, step: float) -> tuple[tuple[float, str], ...]:
        """Under whole numbers, and at the edges of ranges; not more than about six."""
        every = -(-len(self.edges) // 6)
        shift = step / 2 if self.whole else 0.0
        labels = [(p * step + shift, self.form(edge)) for p, edge in enumerate(self.edges) if p % every == 0]
        if self.last and len(self.edges) % every == 0:
            labels.append((len(self.edges) * step, self.last))
        return tuple((round(x, 2), label) for x, label in labels)


def _histogram(
    title: str,
    distribution: Distribution,
    bins: _Bins,
    *,
    doubtful: Callable[[float], bool] = lambda edge: False,
    remark: str = "",
) -> Plot:
    if not distribution.counts:
        return Plot(title, f"none recorded{remark}", (), ())
    counts = [0] * len(bins.edges)
    for number, count in distribution.counts.items():
        counts[bisect_right(bins.edges, number) - 1] += count
    step = PLOT_SIZE[0] / len(counts)
    bars = tuple(
        Bar(
            x=round(position * step + 1, 2),
            y=round(_BASELINE - height, 2),
            width=round(step - 2, 2),
            height=round(height, 2),
            text=f"{bins.text(position)}: {count:,}",
            doubtful=doubtful(bins.edges[position]),
        )
        for position, count in enumerate(counts)
        if (height := _bar_height(count, max(counts)))
    )
    median, p95 = (bins.form(distribution.quantile(q)) for q in (0.5, 0.95))
    return Plot(title, f"median {median} · p95 {p95}{remark}", bars, bins.ticks(step))


def _bar_height(count: int, highest: int) -> float:
    """Proportional, but never too low to be seen if there is something."""
    return max(count / highest * (_BASELINE - 4), 1.5) if count else 0.0


def _nice_bins(distribution: Distribution) -> _Bins:
    """From the smallest number to about the 99th percentile, in steps of 1, 2 or 5 times a power of ten."""
    if not distribution.counts:
        return _Bins([0.0], form=_short)
    low, high = min(distribution.counts), distribution.quantile(0.99)
    rough = (max(high - low, high / 100) or _LINEAR_BINS) / _LINEAR_BINS
    power = 10.0 ** floor(log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first = floor(low / step)
    return _Bins([n * step for n in range(first, max(floor(high / step), first + 1) + 1)], form=_short)


def _short(number: float) -> str:
    """Three digits at most: 950, 1.2k, 3.4M."""
    number = float(f"{number:.3g}")
    for limit, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if number >= limit:
            return f"{number / limit:.3g}{unit}"
    return f"{number:.3g}"

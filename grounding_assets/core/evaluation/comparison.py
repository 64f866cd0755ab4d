"""Two results on the same gold, side by side."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from grounding_assets.core.errors import InputError, SpecError
from grounding_assets.core.evaluation.bootstrap import Resampling, intervals
from grounding_assets.core.evaluation.evaluation import Evaluation, by_slice, number
from grounding_assets.core.evaluation.metrics import BY_NAME, denominators_of, digits, ratios


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure of both results, and second minus first with its interval. None if undefined."""

    first: float | None
    second: float | None
    difference: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Comparison:
    """Over the samples that both results have."""

    samples: int
    only_first: int
    """Judged samples that the second result lacks; they count for neither."""
    only_second: int
    overall: Mapping[str, Difference]
    slices: Mapping[str, Mapping[str, Mapping[str, Difference]]]
    resampling: Resampling


def compare(first: Evaluation, second: Evaluation) -> Comparison:
    """A paired comparison: each resample draws the same images for both results.

    Raises:
        SpecError: the two were not judged in the same way.
        InputError: they share no sample.
    """
    if first.tally.options != second.tally.options:
        raise SpecError("Two results can be compared only when both are judged with the same options.")
    shared = set(second.tally.keys)
    keys = [key for key in first.tally.keys if key in shared]
    if not keys:
        raise InputError("The two results share no gold sample, so there is nothing to compare.")
    a, _ = first.tally.only(keys).per_image()
    b, _ = second.tally.only(keys).per_image()
    both = np.stack([a, b], axis=1)
    sums = ratios(both.sum(axis=0))
    differences = sums[1] - sums[0]
    cases = np.count_nonzero((denominators_of(both) > 0).all(axis=1), axis=0)
    low, high = intervals(both, _differences, cases, first.resampling, (-1.0, 1.0))
    overall, slices = by_slice(
        lambda row, m: Difference(*(number(one[row, m]) for one in (*sums, differences, low, high)))
    )
    return Comparison(
        samples=len(keys),
        only_first=len(first.tally.keys) - len(keys),
        only_second=len(second.tally.keys) - len(keys),
        overall=overall,
        slices=slices,
        resampling=first.resampling,
    )


def _differences(sums: np.ndarray) -> np.ndarray:
    """(k, 2, slices, counts) to (k, slices, metrics)."""
    values = ratios(sums)
    return values[:, 1] - values[:, 0]


def compare_in_words(comparison: Comparison, metric: str, first: str, second: str) -> str:
    """One sentence, such as "B is better than A by 4.1 points, 95 % 1.9 to 6.3".

    Args:
        metric: name of a metric.
        first, second: what to call the two results.
    """
    one, label, unit = comparison.overall[metric], BY_NAME[metric].label, BY_NAME[metric].unit
    if one.difference is None or one.low is None or one.high is None:
        return f"{label}: too few cases to compare {first} and {second}."
    better, worse = (second, first) if one.difference >= 0 else (first, second)
    ends = sorted((one.low, one.high) if one.difference >= 0 else (-one.low, -one.high))
    low, high, gap = (digits(value, unit) for value in (*ends, abs(one.difference)))
    share = f"{100 * comparison.resampling.confidence:g} %"
    points = " points" if unit else ""
    if one.low <= 0 <= one.high:
        return f"{label}: no clear difference between {first} and {second} ({share} {low} to {high}{points})."
    return f"{label}: {better} is better than {worse} by {gap}{points}, {share} {low} to {high}."

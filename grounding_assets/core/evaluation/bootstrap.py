"""Intervals by resampling images: samples of one image are not independent, so images are what is drawn.

Percentile bootstrap (Efron 1979). Every figure is a function of sums, hence a resample is a vector of
how often each image was drawn, and all resamples are one matrix product.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from grounding_assets.core.errors import SpecError

_BLOCK = 4_000_000
"""Most elements of the matrix of draws that are held at once."""


@dataclass(frozen=True, slots=True)
class Resampling:
    """How intervals are made."""

    resamples: int = 2000
    confidence: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if self.resamples < 100 or not 0 < self.confidence < 1:
            raise SpecError("Give at least 100 resamples and a confidence between 0 and 1.")


def intervals(
    per_image: np.ndarray,
    figures: Callable[[np.ndarray], np.ndarray],
    with_cases: np.ndarray,
    resampling: Resampling,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> tuple[np.ndarray, np.ndarray]:
    """Low and high end of each figure, NaN for want of a second image or where it is undefined in all resamples.

    Args:
        per_image: sums of each image, shape (images, ...). The same seed and number of images draw the same images.
        figures: takes sums of shape (k, ...) to figures of shape (k, ...).
        with_cases: how many images have a case, for each figure.
        bounds: between which the figures lie.
    """
    images = len(per_image)
    if images < 2:
        undefined = np.full(figures(per_image).shape[1:], np.nan)
        return undefined, undefined
    flat = per_image.reshape(images, -1)
    blocks = [
        figures((draws @ flat).reshape(len(draws), *per_image.shape[1:]))
        for draws in _draws(images, resampling.resamples, np.random.default_rng(resampling.seed))
    ]
    return _ends(np.concatenate(blocks), resampling.confidence, with_cases, bounds)


def _draws(images: int, resamples: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """How often each image is drawn, shape (some resamples, images)."""
    step = max(1, _BLOCK // images)
    for start in range(0, resamples, step):
        shares = np.full(images, 1 / images)
        yield rng.multinomial(images, shares, size=min(step, resamples - start)).astype(float)


def _ends(
    replicates: np.ndarray, confidence: float, images: np.ndarray, bounds: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Over the first axis; resamples where a figure is undefined (NaN) do not count.

    If all of them agree, as on 48 right of 48, resampling cannot say how
    far off that may be. Such an interval gets the margin of Wilson's score interval for n images without an
    exception, `z² / (n + z²)` (Wilson 1927; 95 %: about 4/n, the "rule of three" for both sides), within `bounds`.
    """
    tail = (1 - confidence) / 2
    usable = ~np.isnan(replicates).all(axis=0)
    ends = np.full((2, *replicates.shape[1:]), np.nan)
    ends[:, usable] = np.nanquantile(replicates[:, usable], (tail, 1 - tail), axis=0)
    z2 = NormalDist().inv_cdf(1 - tail) ** 2
    certain = ends[0] == ends[1]
    margin = z2 / (images + z2)
    low, high = (
        np.where(certain, np.clip(ends[k] + sign * margin, *bounds), ends[k])
        for k, sign in enumerate((-1, 1))
    )
    return low, high

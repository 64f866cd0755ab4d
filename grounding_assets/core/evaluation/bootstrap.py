"""Intervals by resampling images: samples of one image are not independent, so images are what is drawn.

Percentile bootstrap (Efron 1979). Every figure is a function of sums, hence a resample is a vector of
how often each image was drawn, and all resamples are one matrix product.
"""

from collections.abc import Callable, Iterator

import numpy as np

_BLOCK = 4_000_000
"""Most elements of the matrix of draws that are held at once."""


def resampled(
    per_image: np.ndarray, figures: Callable[[np.ndarray], np.ndarray], resamples: int, seed: int
) -> np.ndarray:
    """Figures of every resample.

    Args:
        per_image: sums of each image, shape (images, ...).
        figures: takes sums of shape (k, ...) to figures of shape (k, ...).

    Returns:
        Shape (resamples, ...). The same seed and number of images draw the same images.
    """
    images = len(per_image)
    flat = per_image.reshape(images, -1)
    blocks = [
        figures((draws @ flat).reshape(len(draws), *per_image.shape[1:]))
        for draws in _draws(images, resamples, np.random.default_rng(seed))
    ]
    return np.concatenate(blocks)


def _draws(images: int, resamples: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """How often each image is drawn, shape (some resamples, images)."""
    step = max(1, _BLOCK // images)
    for start in range(0, resamples, step):
        shares = np.full(images, 1 / images)
        yield rng.multinomial(images, shares, size=min(step, resamples - start)).astype(float)


def interval(replicates: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Low and high end over the first axis; resamples where a figure is undefined (NaN) do not count.

    NaN where it is undefined in all of them.
    """
    tail = (1 - confidence) / 2
    usable = ~np.isnan(replicates).all(axis=0)
    ends = np.full((2, *replicates.shape[1:]), np.nan)
    ends[:, usable] = np.nanquantile(replicates[:, usable], (tail, 1 - tail), axis=0)
    return ends[0], ends[1]

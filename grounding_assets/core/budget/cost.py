"""What calls cost, and what the rest of a run will cost.

Pure arithmetic over token counts. Not here: who counts tokens (the teacher's provenance), and what is spent
and allowed (`account`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np

from grounding_assets.core.errors import InputError
from grounding_assets.core.spec.model_settings import PriceSpec

CONFIDENCE = 0.95
"""Share of cases that the interval of a projection should cover."""
_RESAMPLES = 2000
_BLOCK = 2_000_000
"""Most array elements that the resampling holds at once."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What was sent and received: by one call, one sample or a whole run."""

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    """Of `tokens_in`, those that the endpoint had in its cache and sells cheaper."""
    projected: int = 0
    """Of `calls`, those whose tokens nobody reported, so that a projection stands for them."""
    cost: float = 0.0
    """In the currency of the data set's prices; 0 until it is `priced`."""

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.calls + other.calls,
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            self.tokens_cached + other.tokens_cached,
            self.projected + other.projected,
            self.cost + other.cost,
        )

    @property
    def tokens(self) -> int:
        """In and out together."""
        return self.tokens_in + self.tokens_out

    def priced(self, price: PriceSpec | None) -> "Usage":
        """With the cost of its tokens at this price; 0 if that is None."""
        return replace(self, cost=money(self, price) if price else 0.0)


class Tokens(Protocol):
    """What money is counted for."""

    @property
    def tokens_in(self) -> int: ...
    @property
    def tokens_out(self) -> int: ...
    @property
    def tokens_cached(self) -> int: ...


def money(usage: Tokens, price: PriceSpec) -> float:
    """Cost of these tokens, in the price's currency."""
    cached = min(usage.tokens_cached, usage.tokens_in)
    of_cached = price.cached_input_per_million or price.input_per_million
    fresh = (usage.tokens_in - cached) * price.input_per_million
    return (fresh + cached * of_cached + usage.tokens_out * price.output_per_million) / 1e6


class Estimate(NamedTuple):
    """A figure of the future and the interval that it should fall in."""

    expected: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Projection:
    """What the remaining samples will take, all of them together."""

    samples: int
    calls: Estimate
    tokens_in: Estimate
    tokens_out: Estimate
    cost: Estimate
    """Of what is `priced`."""


def project(per_sample_usage: Sequence[Usage], remaining: int, seed: int = 0) -> Projection:
    """Totals of `remaining` further samples, from those that are done.

    Expected is the mean times `remaining`. The interval predicts the sum itself, not its mean: each of
    the resamples gives the samples seen random weights (the Bayesian bootstrap, Rubin 1981) and then draws
    `remaining` samples with them. Twenty samples seldom show the rare ones that cost most, such as a
    retry or a very long reply, and a plain bootstrap then promises too little. So the upper end is
    computed with one further sample that costs twice the dearest seen; its weight fades as 1/(n + 1).

    Args:
        per_sample_usage: one entry a sample that was tried, retries and failed calls included.

    Raises:
        InputError: no sample was tried yet.
    """
    if not per_sample_usage:
        raise InputError("A projection needs at least one finished sample: run a pilot first.")
    seen = np.array([(one.calls, one.tokens_in, one.tokens_out, one.cost) for one in per_sample_usage])
    rng = np.random.default_rng(seed)
    tail = (1 - CONFIDENCE) / 2
    low = np.quantile(_resampled_totals(seen, remaining, rng), tail, axis=0)
    with_dear = np.vstack([seen, 2 * seen.max(axis=0)])
    high = np.quantile(_resampled_totals(with_dear, remaining, rng), 1 - tail, axis=0)
    expected = remaining * seen.mean(axis=0)
    return Projection(
        remaining,
        *(
            Estimate(float(e), float(min(a, e)), float(max(b, e)))
            for e, a, b in zip(expected, low, high, strict=True)
        ),
    )


def _resampled_totals(per_sample: np.ndarray, remaining: int, rng: np.random.Generator) -> np.ndarray:
    """Shape (_RESAMPLES, measures)."""
    samples = len(per_sample)
    step = max(1, _BLOCK // samples)
    blocks = [
        rng.multinomial(remaining, rng.dirichlet(np.ones(samples), min(step, _RESAMPLES - start)))
        @ per_sample
        for start in range(0, _RESAMPLES, step)
    ]
    return np.concatenate(blocks)

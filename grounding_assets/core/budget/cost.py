"""What calls cost, what the rest of a run will cost, and caps on it.

Pure arithmetic over token counts. Not here: who counts tokens (the teacher's provenance) and who asks
before each call (the annotator).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from grounding_assets.core.errors import InputError, RunStopped, SpecError

RESAMPLES = 2000
_BLOCK = 2_000_000
"""Most array elements that the resampling holds at once."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs, in one currency."""

    input_per_million: float
    output_per_million: float
    currency: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What was sent and received: by one call, one sample or a whole run."""

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0
    """In the currency of the data set's prices; 0 until it is `priced`."""

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.calls + other.calls,
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            self.cost + other.cost,
        )

    def priced(self, price: Price | None) -> "Usage":
        """With the cost of its tokens at this price; 0 where that is None."""
        return replace(self, cost=money(self.tokens_in, self.tokens_out, price) if price else 0.0)


def money(tokens_in: float, tokens_out: float, price: Price) -> float:
    """Cost of that many tokens, in the price's currency."""
    return (tokens_in * price.input_per_million + tokens_out * price.output_per_million) / 1e6


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
    confidence: float


def project(
    per_sample_usage: Sequence[Usage],
    remaining: int,
    confidence: float = 0.95,
    seed: int = 0,
) -> Projection:
    """Totals of `remaining` further samples, from those that are done.

    Expected is the mean times `remaining`. The interval predicts the sum itself, not its mean: each of
    the resamples gives the samples seen random weights (the Bayesian bootstrap, Rubin 1981) and then draws
    `remaining` samples with them. Twenty samples seldom show the rare ones that cost most, such as a
    retry or a very long reply, and a plain bootstrap then promises too little. So the upper end is
    computed with one further sample that costs twice the dearest seen; its weight fades as 1/(n + 1).

    Args:
        per_sample_usage: one entry a sample that was tried, retries and failed calls included.
        confidence: share of cases that the interval should cover, between 0 and 1.

    Raises:
        InputError: no sample was tried yet.
    """
    if not per_sample_usage:
        raise InputError("A projection needs at least one finished sample: run a pilot first.")
    seen = np.array([_measures(usage) for usage in per_sample_usage])
    rng = np.random.default_rng(seed)
    tail = (1 - confidence) / 2
    low = np.quantile(_resampled_totals(seen, remaining, rng), tail, axis=0)
    with_dear = np.vstack([seen, 2 * seen.max(axis=0)])
    high = np.quantile(_resampled_totals(with_dear, remaining, rng), 1 - tail, axis=0)
    expected = remaining * seen.mean(axis=0)
    estimates = [
        Estimate(float(e), float(min(a, e)), float(max(b, e)))
        for e, a, b in zip(expected, low, high, strict=True)
    ]
    calls, tokens_in, tokens_out, _, cost = estimates
    return Projection(remaining, calls, tokens_in, tokens_out, cost, confidence)


def _measures(usage: Usage) -> tuple[float, float, float, float, float]:
    """Calls, tokens in, tokens out, tokens, cost."""
    tokens = usage.tokens_in + usage.tokens_out
    return usage.calls, usage.tokens_in, usage.tokens_out, tokens, usage.cost


def _resampled_totals(per_sample: np.ndarray, remaining: int, rng: np.random.Generator) -> np.ndarray:
    """Shape (RESAMPLES, measures)."""
    blocks = [
        rng.multinomial(remaining, rng.dirichlet(np.ones(len(per_sample)), rows)) @ per_sample
        for rows in _block_rows(RESAMPLES, len(per_sample))
    ]
    return np.concatenate(blocks)


def _block_rows(rows: int, columns: int) -> Iterator[int]:
    step = max(1, _BLOCK // columns)
    for start in range(0, rows, step):
        yield min(step, rows - start)


class BudgetReached(RunStopped):
    """A cap leaves no room for another call; what is not done stays pending."""

    lets_calls_finish = True


class Budget:
    """Caps on what a run may spend, with the calls in flight counted.

    Each call is reserved before it is sent and settled when it has ended, also when it failed. What a call
    in flight will take is not known, so it counts with the mean of those settled so far; until the first is
    settled its tokens count as 0. Hence a cap can be exceeded, but never by more than what was in flight.
    For use on one event loop.
    """

    def __init__(
        self,
        *,
        max_cost: float | None = None,
        max_tokens: int | None = None,
        max_calls: int | None = None,
        spent: Usage = Usage(),
    ):
        """`spent` is what earlier runs of the same set took, where they count against the caps. `max_cost`
        holds for what is `priced`.

        Raises:
            SpecError: a negative cap.
        """
        self._caps = {
            "workflow.max_calls": max_calls,
            "workflow.max_tokens": max_tokens,
            "workflow.max_cost": max_cost,
        }
        for field, cap in self._caps.items():
            if cap is not None and not cap >= 0:
                raise SpecError(f"{field} is {cap}: give 0 or more, or leave it out for no cap.")
        self.spent = spent
        self.in_flight = 0

    def reserve(self) -> None:
        """Makes room for one call.

        Raises:
            BudgetReached: with it, what is spent and in flight would exceed a cap.
        """
        calls, _, _, tokens, cost = _measures(self.spent)
        settled_calls = max(self.spent.calls, 1)
        for (field, cap), spent in zip(self._caps.items(), (calls, tokens, cost), strict=True):
            mean = 1 if field == "workflow.max_calls" else spent / settled_calls
            if cap is not None and (spent >= cap or spent + (self.in_flight + 1) * mean > cap):
                raise BudgetReached(
                    f"{field}={cap:,} leaves no room for another call: {spent:,.6g} spent, {self.in_flight} "
                    "calls in flight. What is not done stays pending; raise the cap to go on."
                )
        self.in_flight += 1

    def settle(self, usage: Usage) -> None:
        """Books what a reserved call really took; a call that brought no reply still counts as one."""
        if self.in_flight == 0:
            raise ValueError("settle() without a reserved call")
        self.in_flight -= 1
        self.spent += usage

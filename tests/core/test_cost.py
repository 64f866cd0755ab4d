"""Money and projections; the projection is judged by simulation, not by its own formula."""

import numpy as np
import pytest

from grounding_assets.core.budget.cost import Usage, money, project
from grounding_assets.core.budget.usual_tokens import booked_per_reply
from grounding_assets.core.errors import InputError
from grounding_assets.core.spec.model_settings import PriceSpec

PRICE = PriceSpec(input_per_million=0.25, output_per_million=1.5, currency="EUR")


def test_money_is_tokens_times_price():
    # 2 million in at 0.25 and half a million out at 1.50: 0.50 + 0.75
    assert money(Usage(1, 2_000_000, 500_000), PRICE) == pytest.approx(1.25)


@pytest.mark.parametrize(
    ("cached_price", "cost"),
    # half a million of the 2 million in was cached: at a tenth of the price, or at the same where none is given
    [(0.025, 1.5 * 0.25 + 0.5 * 0.025), (0, 2 * 0.25)],
)
def test_cached_tokens_have_a_price_of_their_own(cached_price: float, cost: float):
    price = PRICE.model_copy(update={"cached_input_per_million": cached_price})
    usage = Usage(1, 2_000_000, tokens_cached=500_000)
    assert money(usage, price) == pytest.approx(cost)
    assert (usage + usage).priced(price).cost == pytest.approx(2 * cost)


def simulated_samples(rng, count, *, spread, retry_rate, attempts=4):
    """Token counts as endpoints show them: near constant in, log-normal out, each retry paid again."""
    tries = np.minimum(rng.geometric(1 - retry_rate, count), attempts)
    usages = []
    for n in tries:
        tokens_out = np.exp(rng.normal(5.5, spread, n)).sum()
        usages.append(Usage(int(n), int(1300 * n + rng.integers(0, 80)), int(tokens_out)))
    return usages


@pytest.mark.parametrize(("spread", "retry_rate"), [(0.0, 0.3), (0.5, 0.05), (1.2, 0.3)])
def test_twenty_samples_predict_five_hundred_in_at_least_90_percent_of_runs(spread, retry_rate):
    rng = np.random.default_rng(20)
    covered = {"calls": 0, "tokens_in": 0, "tokens_out": 0, "cost": 0}
    for run in range(50):
        samples = simulated_samples(rng, 500, spread=spread, retry_rate=retry_rate)
        projection = project([sample.priced(PRICE) for sample in samples[:20]], 480, seed=run)
        truth = sum(samples[20:], Usage())
        cost = money(truth, PRICE)
        for name, value, estimate in (
            ("calls", truth.calls, projection.calls),
            ("tokens_in", truth.tokens_in, projection.tokens_in),
            ("tokens_out", truth.tokens_out, projection.tokens_out),
            ("cost", cost, projection.cost),
        ):
            covered[name] += estimate.low - 1e-9 <= value <= estimate.high + 1e-9
    assert min(covered.values()) >= 45, covered


@pytest.mark.parametrize(("spread", "requests"), [(0.0, 50), (0.5, 500), (1.2, 50)])
def test_what_a_batch_is_booked_at_covers_what_it_takes_in_at_least_90_percent_of_runs(spread, requests):
    rng = np.random.default_rng(7)
    covered = 0
    for _ in range(50):
        tokens = np.exp(rng.normal(5.5, spread, 50 + requests)).astype(int) + 1
        covered += requests * booked_per_reply(tokens[:50].tolist(), 8192) >= tokens[50:].sum()
    assert covered >= 45
    assert booked_per_reply([300] * 9, 8192) == 8192, "too few to tell"


def test_an_interval_is_narrow_enough_to_be_of_use():
    rng = np.random.default_rng(3)
    samples = simulated_samples(rng, 20, spread=0.4, retry_rate=0.02)
    total = project([sample.priced(PRICE) for sample in samples], 480).cost
    assert total.high < 2 * total.expected
    assert total.low > 0.7 * total.expected


def test_more_samples_narrow_the_interval():
    rng = np.random.default_rng(4)
    samples = simulated_samples(rng, 2000, spread=0.5, retry_rate=0.05)
    widths = [(e := project(samples[:n], 1000).tokens_out).high - e.low for n in (10, 50, 250, 2000)]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < widths[0] / 4


def test_expected_is_the_mean_times_what_remains():
    seen = [Usage(2, 100, 10), Usage(4, 300, 30)]
    projection = project([sample.priced(PRICE) for sample in seen], 50)
    assert projection.calls.expected == 150
    assert projection.tokens_in.expected == 10_000
    assert projection.tokens_out.expected == 1_000
    assert projection.cost.expected == pytest.approx(50 * (200 * 0.25 + 20 * 1.5) / 1e6)


def test_without_any_spread_only_a_dear_sample_that_was_not_seen_is_reckoned_with():
    projection = project([Usage(1, 1300, 244).priced(PRICE)] * 20, 480)
    figures = (projection.calls, projection.tokens_in, projection.tokens_out, projection.cost)
    for figure, each in zip(figures, (1, 1300, 244, money(Usage(1, 1300, 244), PRICE)), strict=True):
        assert figure.low == pytest.approx(figure.expected) == 480 * each
        assert figure.expected < figure.high < 1.3 * figure.expected


def test_nothing_remaining_takes_nothing_and_what_is_not_priced_costs_nothing():
    projection = project([Usage(2, 100, 10)], 0)
    assert projection.tokens_in == (0, 0, 0)
    assert projection.cost == (0, 0, 0)


def test_without_a_finished_sample_there_is_no_projection():
    with pytest.raises(InputError, match="pilot"):
        project([], 100)

"""Money, projections and caps; the projection is judged by simulation, not by its own formula."""

import asyncio

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grounding_assets.core.budget.cost import Budget, BudgetReached, Price, Usage, money, project
from grounding_assets.core.errors import InputError, SpecError

PRICE = Price(input_per_million=0.25, output_per_million=1.5, currency="EUR")


def test_money_is_tokens_times_price():
    # 2 million in at 0.25 and half a million out at 1.50: 0.50 + 0.75
    assert money(2_000_000, 500_000, PRICE) == pytest.approx(1.25)


def simulated_samples(rng, count, *, spread, retry_rate, attempts=4):
    """Token counts as endpoints show them: near constant in, log-normal out, each retry paid again."""
    tries = np.minimum(rng.geometric(1 - retry_rate, count), attempts)
    usages = []
    for n in tries:
        tokens_out = np.exp(rng.normal(5.5, spread, n)).sum()
        usages.append(Usage(int(n), int(1300 * n + rng.integers(0, 80)), int(tokens_out)))
    return usages


@pytest.mark.parametrize("retry_rate", [0.0, 0.05, 0.3])
@pytest.mark.parametrize("spread", [0.0, 0.5, 1.2])
def test_twenty_samples_predict_five_hundred_in_at_least_90_of_100_runs(spread, retry_rate):
    rng = np.random.default_rng(20)
    covered = {"calls": 0, "tokens_in": 0, "tokens_out": 0, "cost": 0}
    for run in range(100):
        samples = simulated_samples(rng, 500, spread=spread, retry_rate=retry_rate)
        projection = project([sample.priced(PRICE) for sample in samples[:20]], 480, seed=run)
        truth = sum(samples[20:], Usage())
        cost = money(truth.tokens_in, truth.tokens_out, PRICE)
        for name, value, estimate in (
            ("calls", truth.calls, projection.calls),
            ("tokens_in", truth.tokens_in, projection.tokens_in),
            ("tokens_out", truth.tokens_out, projection.tokens_out),
            ("cost", cost, projection.cost),
        ):
            covered[name] += estimate.low - 1e-9 <= value <= estimate.high + 1e-9
    assert min(covered.values()) >= 90, covered


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


def test_nothing_remaining_takes_nothing_and_what_is_not_priced_costs_nothing():
    projection = project([Usage(2, 100, 10)], 0)
    assert projection.tokens_in == (0, 0, 0)
    assert projection.cost == (0, 0, 0)


def test_without_a_finished_sample_there_is_no_projection():
    with pytest.raises(InputError, match="pilot"):
        project([], 100)


async def spend(budget, draw, workers, wanted):
    """Calls of random length on one event loop, as a run makes them; returns the largest overshoot allowed."""
    stop = asyncio.Event()
    in_flight: dict[int, Usage] = {}
    seen_in_flight = {"most": 0, "tokens_at_stop": 0}
    left = iter(range(wanted))

    async def worker(number):
        for _ in left:
            if stop.is_set():
                return
            try:
                budget.reserve()
            except BudgetReached:
                seen_in_flight["tokens_at_stop"] = sum(u.tokens_in + u.tokens_out for u in in_flight.values())
                stop.set()
                return
            usage, turns = draw()
            in_flight[number] = usage
            seen_in_flight["most"] = max(seen_in_flight["most"], len(in_flight))
            for _ in range(turns):
                await asyncio.sleep(0)
            budget.settle(usage)
            del in_flight[number]

    await asyncio.gather(*(worker(n) for n in range(workers)))
    return stop.is_set(), seen_in_flight


@pytest.mark.parametrize("workers", [1, 4, 16])
@pytest.mark.parametrize("seed", range(5))
def test_a_token_cap_is_exceeded_by_no_more_than_what_was_in_flight(workers, seed):
    rng = np.random.default_rng(seed)
    cap = 200_000

    def draw():
        return Usage(1, 1000, int(np.exp(rng.normal(6, 1.0)))), int(rng.integers(1, 12))

    budget = Budget(max_tokens=cap)
    stopped, in_flight = asyncio.run(spend(budget, draw, workers, 10_000))
    spent = budget.spent.tokens_in + budget.spent.tokens_out
    assert stopped
    assert budget.in_flight == 0
    assert spent <= cap + in_flight["tokens_at_stop"]
    # what stops the run is the cap, not caution: no more than the calls in flight are left unused
    assert spent >= cap - (workers + 1) * 6_000


def test_a_call_cap_is_never_exceeded_and_raising_it_goes_on():
    rng = np.random.default_rng(1)

    def draw():
        return Usage(1, 500, 20), int(rng.integers(1, 9))

    budget = Budget(max_calls=37)
    stopped, _ = asyncio.run(spend(budget, draw, 8, 500))
    assert stopped and budget.spent.calls == 37
    raised = Budget(max_calls=60, spent=budget.spent)
    asyncio.run(spend(raised, draw, 8, 500))
    assert raised.spent.calls == 60


def test_a_cost_cap_counts_calls_in_flight_with_the_mean_so_far():
    # 1,000 tokens out at 1.50 a million are 0.0015 each; a cap of 0.0061 holds four of them, not five
    budget = Budget(max_cost=0.0061)
    budget.reserve()
    budget.settle(Usage(1, 0, 1000).priced(PRICE))
    for _ in range(3):
        budget.reserve()
    with pytest.raises(
        BudgetReached, match=r"workflow\.max_cost=0\.0061 .* 0\.0015 spent, 3 calls in flight"
    ):
        budget.reserve()


def test_a_cheap_reply_makes_room_again():
    budget = Budget(max_tokens=100)
    budget.reserve()
    budget.settle(Usage(1, 30, 10))
    budget.reserve()
    with pytest.raises(BudgetReached):
        budget.reserve()
    budget.settle(Usage(1, 2, 0))
    budget.reserve()


def test_zero_allows_nothing_and_no_cap_allows_everything():
    with pytest.raises(BudgetReached):
        Budget(max_tokens=0).reserve()
    open_ended = Budget()
    for _ in range(1000):
        open_ended.reserve()


def test_wrong_caps_are_refused_by_name():
    with pytest.raises(SpecError, match=r"workflow\.max_calls is -1"):
        Budget(max_calls=-1)
    with pytest.raises(SpecError, match=r"workflow\.max_cost is nan"):
        Budget(max_cost=float("nan"))
    with pytest.raises(ValueError, match="without a reserved call"):
        Budget().settle(Usage(1, 1, 1))


@given(
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)), max_size=60), st.integers(0, 60_000)
)
def test_one_call_at_a_time_exceeds_the_cap_by_less_than_that_call(calls, cap):
    budget = Budget(max_tokens=cap)
    last = 0
    for tokens_in, tokens_out in calls:
        try:
            budget.reserve()
        except BudgetReached:
            break
        last = tokens_in + tokens_out
        budget.settle(Usage(1, tokens_in, tokens_out))
    assert budget.spent.tokens_in + budget.spent.tokens_out <= cap + last

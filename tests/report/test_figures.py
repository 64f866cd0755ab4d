"""Counts and distributions over a set, and how the summary tells them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grounding_assets.core.report.figures import Distribution, Figures
from grounding_assets.core.report.summary import PLOT_SIZE, facts, plots, reasons
from grounding_assets.core.steps import Step
from tests.report.generated import annotated, failure, records
from tests.report.showcase import showcase_records


def observed(lines, failures=()) -> Figures:
    figures = Figures()
    for line in lines:
        figures.observe(line)
    for line in failures:
        figures.observe_failure(line)
    return figures


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 1))
def test_quantiles_are_right_to_three_digits(numbers: list[float], q: float) -> None:
    distribution = Distribution()
    for number in numbers:
        distribution.add(number)
    exact = sorted(numbers)[max(math.ceil(q * len(numbers)) - 1, 0)]
    assert distribution.quantile(q) == pytest.approx(exact, rel=0.006)
    assert len(distribution) == len(numbers)


def test_an_empty_distribution_has_no_quantile() -> None:
    with pytest.raises(ValueError, match="empty"):
        Distribution().quantile(0.5)


def test_memory_does_not_grow_with_the_numbers() -> None:
    distribution = Distribution()
    for number in range(100_000):
        distribution.add(number / 7)
    assert len(distribution.counts) < 6_000


def test_counts_of_a_known_set() -> None:
    figures = observed(
        showcase_records(), [failure(1, "timeout"), failure(2, "timeout"), failure(3, "refused")]
    )
    assert (figures.lines, figures.expressions, figures.boxes) == (12, 19, 28)
    assert figures.without_box == {"none_seen": 2}
    assert figures.failures == {"timeout": 2, "refused": 1}
    assert figures.default_scores == 1
    assert len(figures.score) == 27
    assert figures.boxes_per_expression.counts == {1.0: 16, 0.0: 2, 12.0: 1}
    assert figures.box_share.counts[1.0] == 1


def test_costs_are_summed_over_both_steps() -> None:
    lines = list(records(50))
    figures = observed(lines)
    steps = [step for line in lines for step in line["provenance"].values()]
    assert figures.tokens_in == sum(step["tokens_in"] for step in steps)
    assert figures.tokens_out == sum(step["tokens_out"] for step in steps)
    assert len(figures.seconds) == len(figures.tokens) == 50
    assert figures.seconds.total == pytest.approx(sum(step["seconds"] for step in steps))
    assert figures.made_by == {"openai Qwen/Qwen3-VL-8B-Instruct": 50}


@pytest.mark.parametrize(
    "told", [{}, {"step_1": {}}, {"step_1": {"tokens_in": None, "seconds": float("nan")}}]
)
def test_costs_that_are_not_stated_are_not_counted_as_nothing(told: dict) -> None:
    line = next(records(1)) | {"provenance": told}
    figures = observed([line])
    assert (len(figures.tokens), len(figures.seconds)) == (0, 0)
    labels = [label for label, _ in facts(figures)]
    assert "tokens in" not in labels
    assert "seconds, median" not in labels


def test_step_0_alone_says_nothing_about_boxes() -> None:
    line = next(records(1)) | {"pipeline_steps": [Step.EXTRACTION.record_name]}
    figures = observed([line])
    assert figures.expressions > 0
    assert figures.grounded_expressions == 0
    assert "without a box" not in dict(facts(figures))


def test_every_number_is_in_a_bar() -> None:
    figures = observed(records(300))
    drawn = {
        plot.title: sum(int(bar.text.rsplit(": ")[-1].replace(",", "")) for bar in plot.bars)
        for plot in plots(figures)
    }
    assert drawn == {
        "Boxes per expression": figures.expressions,
        "Box area, share of the photo": figures.boxes,
        "Score": figures.boxes,
        "Tokens per sample": 300,
        "Seconds per sample": 300,
    }


@given(st.lists(st.floats(0, 1e9, allow_subnormal=False), min_size=1, max_size=40))
def test_plots_stay_in_their_frame(numbers: list[float]) -> None:
    figures = Figures()
    for number in numbers:
        figures.seconds.add(number)
    plot = plots(figures)[-1]
    assert 1 <= len(plot.bars) <= 40
    for bar in plot.bars:
        assert bar.x >= 0
        assert bar.x + bar.width <= PLOT_SIZE[0]
        assert bar.y >= 0
        assert bar.height > 0
    assert all(0 <= x <= PLOT_SIZE[0] for x, _ in plot.ticks)


def test_reasons_come_most_frequent_first() -> None:
    figures = observed([], [failure(n, "timeout" if n % 3 else "rate_limited") for n in range(9)])
    assert reasons(figures) == [("Samples failed", [("timeout", 6, 1.0), ("rate limited", 3, 0.5)])]


def test_nothing_recorded_is_said() -> None:
    assert [plot.note for plot in plots(Figures())] == ["none recorded"] * 5
    assert dict(facts(Figures()))["grounded"] == "0"


@pytest.mark.parametrize(
    ("tokens", "shown"),
    [(950, "950"), (1_234, "1.23k"), (999_600, "1M"), (3_400_000, "3.4M"), (3_000_000_000, "3B")],
)
def test_tokens_are_shown_in_three_digits(tokens: int, shown: str) -> None:
    figures = observed([annotated("a", "A cat.", [], {"step_0": {"tokens_in": tokens}})])
    assert dict(facts(figures))["tokens in"] == shown

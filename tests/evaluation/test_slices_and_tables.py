"""Wording of expressions, and what the terminal shows."""

import numpy as np
import pytest

from grounding_assets.core.dataset.annotated import read_samples
from grounding_assets.core.errors import InputError, SpecError
from grounding_assets.core.evaluation import (
    JudgeOptions,
    Resampling,
    compare,
    compare_in_words,
    comparison_rows,
    evaluate,
    figure_rows,
    slice_rows,
)
from grounding_assets.core.evaluation.slices import is_plural
from grounding_assets.core.evaluation.spans import carry_spans
from grounding_assets.core.records import Expression
from tests.evaluation.lines import expression, line
from tests.evaluation.simulated_model import answers, drawn_gold


@pytest.mark.parametrize(
    ("text", "noun_chunk", "plural"),
    [
        ("A red car", "car", False),
        ("the cars", "cars", True),
        ("two sheep", "sheep", True),
        ("a sheep", "sheep", False),
        ("a couple of dogs", "couple", True),
        ("young people", "people", True),
        ("three men", "men", True),
        ("policemen on horses", "policemen on horses", True),
        ("a bus", "bus", False),
        ("buses", "buses", True),
        ("a glass of wine", "glass", False),
        ("glasses", "glasses", True),
        ("a dress", "dress", False),
        ("a man with umbrellas", "man with umbrellas", False),
        ("umbrellas held by a man", "umbrellas", True),
        ("some grass", "grass", False),
        ("eine Katze", "Katze", False),
        ("!", "", False),
    ],
)
def test_singular_and_plural(text, noun_chunk, plural):
    assert is_plural(Expression(text, (0, len(text)), noun_chunk)) is plural


def test_slices():
    # areas: 20 x 20 small, 50 x 50 medium, 100 x 100 large; two dogs of 10 and 190 wide: mean area 2,750
    gold = [
        line(
            [
                expression("A red car", [[0, 0, 20, 20]]),
                expression("two dogs", [[0, 0, 10, 10], [50, 50, 140, 110]]),
                expression("a tree", [[100, 100, 200, 200]]),
                expression("a lake", []),
            ]
        )
    ]
    results = [
        line(
            [
                expression("A red car", []),
                expression("two dogs", [[50, 50, 140, 110]]),
                expression("a tree", [[100, 100, 200, 200]]),
                expression("a lake", []),
            ]
        )
    ]
    slices = evaluate(gold, results, JudgeOptions("step_1"), Resampling(100)).slices

    def value(dimension, name, metric="box_recall_50"):
        return slices[dimension][name][metric].value

    assert {n: value("box size", n) for n in ("small", "medium", "large")} == {
        "small": 0.0,
        "medium": 0.5,
        "large": 1.0,
    }
    assert {n: value("instances", n) for n in ("0", "1", "2-4", "5+")} == {
        "0": None,
        "1": 0.5,
        "2-4": 0.5,
        "5+": None,
    }
    assert value("instances", "0", "absent_rejected") == 1.0
    assert (value("number", "plural"), value("number", "singular")) == (0.5, 0.5)
    assert "expression_precision" not in slices["number"]["plural"]


@pytest.mark.parametrize(
    ("caption", "other", "text", "carried"),
    [
        ("A red car.", "A red car.", "red car", "red car"),
        ("a red CAR", "There's A RED car!", "a red CAR", "A RED car"),
        ("a dog and a dog", "a dog , and a dog", "and a dog", "and a dog"),
        ("the big red car", "the car", "big red car", "car"),
        ("a zebra", "a horse", "zebra", None),
        ("un café là", "le café, là-bas", "café", "café"),
        ("!!! ???", "hello", "???", None),
    ],
)
def test_spans_are_carried_over_to_another_caption(caption, other, text, carried):
    row = line([expression(text, [], caption=caption)], caption=caption)
    [sample] = read_samples([row], "test")
    [span] = carry_spans(sample, [sample.expressions[0].char_span], other)
    assert (None if span is None else other[slice(*span)]) == carried


def test_aligning_long_captions_of_one_word_takes_no_time():
    caption = "dog " * 20_000
    row = line([expression("dog", [], caption=caption)], caption=caption)
    [sample] = read_samples([row], "test")
    assert carry_spans(sample, [sample.expressions[0].char_span], caption + "cat") == [(0, 3)]


def test_the_table_shows_values_intervals_and_cases():
    gold = drawn_gold(np.random.default_rng(1), 20, absent=0.2)
    rows = figure_rows(evaluate(gold, gold[:10], JudgeOptions("step_1"), Resampling(100)))
    table = {row[0]: row[1:] for row in rows}
    assert table["Figure"] == ("Value", "95 %", "Of")
    assert table["R@1, IoU 0.5"][:2] == ("100.0 %", "72.2 to 100.0")
    assert table["Mean IoU of matches"][:2] == ("1.000", "0.722 to 1.000")
    assert table["Samples with a result"] == ("50.0 %", "", "10 of 20 gold samples")
    assert "Expressions: F1" not in table


def test_the_slices_that_have_cases_are_shown():
    gold = drawn_gold(np.random.default_rng(2), 20, absent=0.2)
    header, *rows = slice_rows(evaluate(gold, gold, JudgeOptions("step_1"), Resampling(100)))
    assert header[:4] == ("Slice", "", "Expressions", "R@1, IoU 0.5")
    assert [row[:2] for row in rows] == [
        ("box size", "large"),
        ("instances", "0"),
        ("instances", "1"),
        ("number", "singular"),
    ]
    assert rows[1][3:] == ("n/a", "n/a", "n/a", "n/a", "n/a", "100.0 %")


def test_the_comparison_shows_both_and_the_difference():
    rng = np.random.default_rng(3)
    gold = drawn_gold(rng, 40)
    a, b = (
        evaluate(gold, answers(rng, gold, swap=swap), JudgeOptions("step_1"), Resampling(200))
        for swap in (0.5, 0.0)
    )
    rows = {row[0]: row[1:] for row in comparison_rows(compare(a, b), "old", "new")}
    assert rows["Figure"] == ("old", "new", "Difference", "95 %")
    old, new, difference, interval = rows["R@1, IoU 0.5"]
    assert new == "100.0 %" and difference.startswith("+") and " to +" in interval
    assert float(difference) == pytest.approx(100 - float(old.removesuffix(" %")), abs=0.051)
    assert "Absent rejected" not in rows
    assert "too few cases" in compare_in_words(compare(a, b), "absent_rejected", "old", "new")


def test_comparisons_that_mean_nothing_are_refused():
    gold = drawn_gold(np.random.default_rng(4), 4)
    half = evaluate(gold, gold[:2], JudgeOptions("step_1"), Resampling(100))
    with pytest.raises(SpecError, match="same options"):
        compare(half, evaluate(gold, gold, JudgeOptions(), Resampling(100)))
    with pytest.raises(InputError, match="share no gold sample"):
        compare(half, evaluate(gold, gold[2:], JudgeOptions("step_1"), Resampling(100)))
    with pytest.raises(SpecError, match="100 resamples"):
        Resampling(10)

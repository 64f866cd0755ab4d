"""Models of known quality: each figure lies where its own error rates say, within four standard deviations."""

import math
from typing import Any

import numpy as np
import pytest

from grounding_assets.core.evaluation import (
    JudgeOptions,
    Resampling,
    compare,
    compare_in_words,
    evaluate,
    summarize,
)
from tests.evaluation.simulated_model import answers, drawn_gold

STEP_1 = JudgeOptions(steps="step_1")
FEW = Resampling(200)


def within(value, expected, cases, deviations=4.0):
    """Whether a share of so many independent cases is where chance puts it."""
    return abs(value - expected) <= deviations * math.sqrt(max(expected * (1 - expected), 1e-9) / cases)


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.2, 0.4, 0.6])
def test_jitter_shows_in_overlap_and_thresholds(shift):
    gold = drawn_gold(np.random.default_rng(1), 50)
    overall = evaluate(gold, answers(np.random.default_rng(2), gold, shift=shift), STEP_1, FEW).overall
    expected = (1 - shift) / (1 + shift)
    # boxes move by whole pixels: at most half a pixel of 100
    if expected > 0.5:
        assert overall["mean_iou"].value == pytest.approx(expected, abs=0.006)
    else:
        assert overall["mean_iou"].value is None
    assert overall["r1_50"].value == (expected >= 0.5)
    assert overall["box_recall_75"].value == (expected >= 0.75)


@pytest.mark.parametrize(
    ("drop", "swap"), [(0.0, 0.0), (0.2, 0.0), (0.0, 0.2), (0.1, 0.3), (0.5, 0.5), (1.0, 0.0)]
)
def test_dropped_and_swapped_boxes_show_in_recall_precision_and_f1(drop, swap):
    gold = drawn_gold(np.random.default_rng(3), 200)
    results = answers(np.random.default_rng(4), gold, drop=drop, swap=swap, shift=0.1)
    overall = evaluate(gold, results, STEP_1, FEW).overall
    right, answered, cases = 1 - drop - swap, 1 - drop, 1200
    for name in ("r1_50", "r1_75", "box_recall_50", "box_recall_75"):
        assert within(overall[name].value, right, cases)
    if answered:
        assert within(overall["box_precision_50"].value, right / answered, cases * answered)
    f1 = 2 * right / (answered + 1)
    for name in ("any_box_f1", "all_box_f1"):
        assert overall[name].value == pytest.approx(f1, abs=4 * math.sqrt(0.25 / cases))


def test_invented_boxes_show_in_the_share_of_absent_expressions_rejected():
    gold = drawn_gold(np.random.default_rng(5), 200, absent=0.5)
    overall = evaluate(gold, answers(np.random.default_rng(6), gold, invent=0.3), STEP_1, FEW).overall
    absent = overall["absent_rejected"]
    assert absent.of == pytest.approx(600, abs=70)
    assert within(absent.value, 0.7, absent.of)
    # what is answered: all present, right, and 0.3 of the absent, wrong
    assert within(overall["box_precision_50"].value, 1 / 1.3, 780)
    assert overall["box_recall_50"].value == 1.0


def test_forgotten_expressions_show_in_recall_of_step_0_and_of_boxes():
    gold = drawn_gold(np.random.default_rng(7), 200)
    results = answers(np.random.default_rng(8), gold, forget=0.25, drop=0.2)
    overall = evaluate(gold, results, JudgeOptions(), FEW).overall
    assert overall["expression_precision"].value == 1.0
    assert within(overall["expression_recall"].value, 0.75, 1200)
    assert within(overall["box_recall_50"].value, 0.75 * 0.8, 1200)


@pytest.mark.parametrize(("said", "right"), [(0.95, 0.95), (0.95, 0.6), (0.35, 0.8)])
def test_calibration_error_is_the_gap_between_word_and_deed(said, right):
    gold = drawn_gold(np.random.default_rng(9), 200)
    results = answers(np.random.default_rng(10), gold, swap=1 - right, score=said)
    error = evaluate(gold, results, STEP_1, FEW).calibration_error
    assert error.of == 1200
    assert abs(error.value - abs(said - right)) <= 4 * math.sqrt(0.25 / 1200)


def interval(figure: Any) -> tuple[float, float]:
    assert figure.low is not None and figure.high is not None
    return figure.low, figure.high


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    covered = 0
    runs = 60
    for run in range(runs):
        rng = np.random.default_rng(1000 + run)
        gold = drawn_gold(rng, 40, expressions=2)
        judged = evaluate(gold, answers(rng, gold, swap=0.3), STEP_1, Resampling(200, seed=run))
        figure = judged.overall["r1_50"]
        low, high = interval(figure)
        covered += low <= 0.7 <= high
    # 40 images: a percentile interval of 95 % covers a little less; 0.85 would be three and a half deviations off
    assert 0.85 <= covered / runs < 1


def test_intervals_know_that_captions_of_one_image_fail_together():
    rng = np.random.default_rng(11)
    gold = drawn_gold(rng, 60, captions=5)
    good = {f"{n}.jpg" for n in range(60) if rng.random() < 0.7}
    results = [row if row["image_path"] in good else answers(rng, [row], swap=1.0)[0] for row in gold]
    figure = evaluate(gold, results, STEP_1, Resampling(1000)).overall["r1_50"]
    # 60 independent images, not 1,800 expressions: 2 * 1.96 * sqrt(0.21 / 60) = 0.23
    low, high = interval(figure)
    assert high - low == pytest.approx(0.23, abs=0.04)


def test_a_seed_gives_the_same_interval_and_images_may_come_in_any_order():
    gold = drawn_gold(np.random.default_rng(12), 30)
    results = answers(np.random.default_rng(13), gold, swap=0.4)
    first = evaluate(gold, results, STEP_1, FEW)
    again = evaluate(gold, reversed(results), STEP_1, FEW)
    assert first.to_dict() == again.to_dict()
    other = summarize(first.tally, Resampling(200, seed=9)).overall["r1_50"]
    assert other.value == first.overall["r1_50"].value
    assert (other.low, other.high) != (first.overall["r1_50"].low, first.overall["r1_50"].high)


def test_one_image_has_no_interval():
    gold = drawn_gold(np.random.default_rng(14), 1)
    figure = evaluate(gold, gold, STEP_1, FEW).overall["r1_50"]
    assert (figure.value, figure.low, figure.high) == (1.0, None, None)


def test_a_paired_comparison_sees_a_difference_that_separate_intervals_hide():
    rng = np.random.default_rng(15)
    gold = drawn_gold(rng, 150)
    weak = answers(rng, gold, swap=0.3)
    # B mends one in six of A's errors and makes none of its own
    strong = []
    for wrong, right in zip(weak, gold, strict=True):
        mended = [
            g if w["instances"] != g["instances"] and rng.random() < 1 / 6 else w
            for w, g in zip(wrong["expressions"], right["expressions"], strict=True)
        ]
        strong.append({**wrong, "expressions": mended})
    a, b = (evaluate(gold, rows, STEP_1, Resampling(1000)) for rows in (weak, strong))
    assert interval(a.overall["r1_50"])[1] > interval(b.overall["r1_50"])[0]
    comparison = compare(a, b)
    one = comparison.overall["r1_50"]
    values = a.overall["r1_50"].value, b.overall["r1_50"].value
    assert values[0] is not None and values[1] is not None
    assert one.difference == pytest.approx(values[1] - values[0])
    low, high = interval(one)
    assert 0 < low < 0.05 < high < 0.09
    text = compare_in_words(comparison, "r1_50", "A", "B")
    assert text.startswith("R@1, IoU 0.5: B is better than A by ") and ", 95 % " in text
    back = compare_in_words(compare(b, a), "r1_50", "B", "A")
    assert back.startswith("R@1, IoU 0.5: B is better than A by ")
    assert text.split(" by ")[1].split(",")[0] == back.split(" by ")[1].split(",")[0]


def test_two_models_of_the_same_quality_are_seldom_called_different():
    called = 0
    for run in range(25):
        rng = np.random.default_rng(2000 + run)
        gold = drawn_gold(rng, 20, expressions=2)
        a, b = (evaluate(gold, answers(rng, gold, swap=0.3), STEP_1, Resampling(200)) for _ in "ab")
        called += "no clear difference" not in compare_in_words(compare(a, b), "r1_50", "A", "B")
    # 5 % of 25 is 1.25; more than 6 has a probability below one in a thousand
    assert called <= 6


def test_a_comparison_uses_the_samples_that_both_have():
    gold = drawn_gold(np.random.default_rng(16), 20)
    # A lacks the five samples that it would have got wrong
    a = evaluate(gold, gold[5:], STEP_1, FEW)
    wrong = answers(np.random.default_rng(17), gold[:5], swap=1.0)
    b = evaluate(gold, [*wrong, *gold[5:15]], STEP_1, FEW)
    comparison = compare(a, b)
    assert (comparison.samples, comparison.only_first, comparison.only_second) == (10, 5, 5)
    assert comparison.overall["r1_50"].difference == 0.0

"""How certain a figure is: intervals of figures and of differences."""

import pytest

from grounding_assets.core.evaluation import compare, evaluate
from tests.evaluation.lines import BOX, STEP_1, expression, line


@pytest.mark.parametrize(
    ("right", "low", "high"),
    # Wilson's score interval of 48 of 48 and of 0 of 48: 48 / (48 + z²), z² / (48 + z²), z = 1.96
    [(48, 0.9259, 1.0), (0, 0.0, 0.0741)],
)
def test_no_interval_claims_certainty(right, low, high):
    gold = [line([expression("A red car", [BOX])], image_path=f"{n}.jpg") for n in range(48)]
    results = [
        line([expression("A red car", [BOX] if right else [])], image_path=f"{n}.jpg") for n in range(48)
    ]
    figure = evaluate(gold, results, STEP_1).overall["r1_50"]
    assert (figure.low, figure.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))
    difference = compare(evaluate(gold, results, STEP_1), evaluate(gold, results, STEP_1)).overall["r1_50"]
    assert (difference.low, difference.high) == (
        pytest.approx(-0.0741, abs=1e-4),
        pytest.approx(0.0741, abs=1e-4),
    )


def test_cases_of_one_image_are_one_image():
    # 48 captions of 4 images: 4 / (4 + z²)
    captions = [f"A red car {n}." for n in range(12)]
    gold = [
        line([expression("A red car", [BOX], caption=caption)], image_path=f"{n}.jpg", caption=caption)
        for n in range(4)
        for caption in captions
    ]
    figure = evaluate(gold, gold, STEP_1).overall["r1_50"]
    assert (figure.of, figure.low, figure.high) == (48, pytest.approx(0.5101, abs=1e-4), 1.0)

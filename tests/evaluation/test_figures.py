"""Figures of hand-made cases. The arithmetic stands beside each."""

import pytest

from grounding_assets.core.errors import InputError, SpecError
from grounding_assets.core.evaluation import JudgeOptions, Resampling, evaluate, figure_rows
from tests.evaluation.lines import (
    AT_333,
    AT_600,
    AT_818,
    BOX,
    CAPTION,
    ELSEWHERE,
    STEP_1,
    expression,
    line,
    overall,
)


def test_one_box_each():
    # car: 0.818, a hit at both; dogs: 0.6, a hit at 0.5 only; tree: 0.333, none; lake: no box
    spots = {"A red car": AT_818, "two dogs": AT_600, "a tree": AT_333, "a lake": None}
    gold = [line([expression(text, [BOX]) for text in spots])]
    results = [line([expression(text, [box] if box else []) for text, box in spots.items()])]
    figures = overall(gold, results)
    assert figures["r1_50"] == 2 / 4
    assert figures["r1_75"] == 1 / 4
    assert figures["box_recall_50"] == 2 / 4
    assert figures["box_recall_75"] == 1 / 4
    assert figures["box_precision_50"] == 2 / 3
    # right 2, answered 3, present 4: 2 * 2 / 7
    assert figures["any_box_f1"] == figures["all_box_f1"] == pytest.approx(4 / 7)
    assert figures["mean_iou"] == pytest.approx((90 / 110 + 75 / 125) / 2)
    assert figures["absent_rejected"] is None
    assert figures["expression_f1"] is None


@pytest.mark.parametrize(("width", "at_50", "at_75"), [(75, 1, 1), (74, 1, 0), (50, 1, 0), (49, 0, 0)])
def test_thresholds_are_reached_by_equality(width, at_50, at_75):
    # a box inside a gold box of 100 x 100 has an IoU of its width in per cent
    gold = [line([expression("A red car", [[0, 0, 100, 100]])])]
    figures = overall(gold, [line([expression("A red car", [[0, 0, width, 100]])])])
    assert (figures["r1_50"], figures["r1_75"]) == (at_50, at_75)
    assert (figures["box_recall_50"], figures["box_recall_75"]) == (at_50, at_75)


def test_several_boxes():
    # car: both gold boxes found: all. dogs: one of two found and a wrong one: any, not all.
    # tree: found, and the wrong box has the higher score: R@1 fails, any holds, all does not.
    gold = [
        line(
            [
                expression("A red car", [BOX, ELSEWHERE]),
                expression("two dogs", [BOX, ELSEWHERE]),
                expression("a tree", [BOX]),
            ]
        )
    ]
    results = [
        line(
            [
                expression("A red car", [ELSEWHERE, BOX], [0.5, 0.4]),
                expression("two dogs", [BOX, [300, 300, 400, 400]], [0.8, 0.3]),
                expression("a tree", [ELSEWHERE, BOX], [0.9, 0.6]),
            ]
        )
    ]
    figures = overall(gold, results)
    assert figures["r1_50"] == 2 / 3
    assert figures["box_recall_50"] == (2 + 1 + 1) / (2 + 2 + 1)
    assert figures["box_precision_50"] == (2 + 1 + 1) / (2 + 2 + 2)
    assert figures["any_box_f1"] == 2 * 3 / (3 + 3)
    assert figures["all_box_f1"] == 2 * 1 / (3 + 3)
    assert figures["mean_iou"] == 1.0


def test_two_predictions_on_one_gold_box_are_one_hit():
    gold = [line([expression("A red car", [BOX])])]
    results = [line([expression("A red car", [BOX, AT_818])])]
    figures = overall(gold, results)
    assert (figures["box_recall_50"], figures["box_precision_50"]) == (1.0, 0.5)
    assert (figures["any_box_f1"], figures["all_box_f1"]) == (1.0, 0.0)


def test_absent_expressions():
    # rejected: car. Not rejected: dogs (boxed), tree (not looked for). The lake is not judged by gold.
    gold = [
        line(
            [
                expression("A red car", []),
                expression("two dogs", []),
                expression("a tree", []),
                expression("a lake", [], status="not_mentioned"),
            ]
        )
    ]
    results = [
        line(
            [
                expression("A red car", []),
                expression("two dogs", [BOX]),
                expression("a tree", [], status="out_of_vocabulary"),
                expression("a lake", [BOX, ELSEWHERE]),
            ]
        )
    ]
    figures = overall(gold, results)
    assert figures["absent_rejected"] == 1 / 3
    assert figures["box_precision_50"] == 0 / 1
    assert figures["any_box_f1"] == 0.0
    assert figures["r1_50"] is None


def test_calibration():
    # scores 0.95 (hit), 0.91 (miss), 0.15 (hit), 0.11 (miss), 1.0 on an absent expression (miss);
    # bins: [0.9, 1.0] has 3 boxes, mean score 0.9533, share 1/3; [0.1, 0.2) has 2, mean 0.13, share 1/2
    gold = [
        line(
            [
                expression("A red car", [BOX]),
                expression("two dogs", [BOX]),
                expression("a tree", [BOX]),
                expression("a lake", []),
            ]
        )
    ]
    results = [
        line(
            [
                expression("A red car", [BOX, ELSEWHERE], [0.95, 0.91]),
                expression("two dogs", [BOX, ELSEWHERE], [0.15, 0.11]),
                expression("a tree", [BOX, ELSEWHERE]),
                expression("a lake", [BOX], [1.0]),
            ]
        )
    ]
    evaluation = evaluate(gold, results, STEP_1, Resampling(100))
    filled = [one for one in evaluation.reliability if one.boxes]
    assert [(one.low, one.high, one.boxes) for one in filled] == [(0.1, 0.2, 2), (0.9, 1.0, 3)]
    assert [one.hit_share for one in filled] == [1 / 2, 1 / 3]
    assert [one.mean_score for one in filled] == pytest.approx([0.13, 2.86 / 3])
    # |1 - 0.26| + |1 - 2.86| over the five boxes with a score of the model's own
    assert evaluation.calibration_error.value == pytest.approx((0.74 + 1.86) / 5)
    assert evaluation.calibration_error.of == 5


def test_results_of_images_of_another_size_are_not_judged():
    gold = [line([expression("A red car", [BOX])], image_path=f"{n}.jpg") for n in "abc"]
    halved = line([expression("A red car", [[50, 50, 100, 100]])], image_path="b.jpg", width=500, height=500)
    figures = evaluate(gold, [gold[0], halved], STEP_1, Resampling(100))
    totals = figures.tally.totals
    assert (totals.judged, totals.without_result, totals.other_size) == (1, 2, 1)
    assert figures.overall["r1_50"].value == 1.0
    assert ("Other image size", "1", "", "gold samples, without a result in their pixels") in figure_rows(
        figures
    )
    assert figures.tally.other_size == (("b.jpg", gold[1]["caption"]),)
    wrong = evaluate(gold, [gold[0], halved], JudgeOptions("step_1", missing="wrong"), Resampling(100))
    assert (wrong.tally.totals.judged, wrong.tally.totals.other_size) == (3, 1)
    with pytest.raises(
        InputError, match=r"b\.jpg has 1000 x 1000 pixels in gold and 500 x 500 in the results"
    ):
        evaluate(gold, [halved], STEP_1)


def test_missing_results_are_left_out_or_wrong():
    gold = [
        line([expression("A red car", [BOX]), expression("a lake", [])], image_path=f"{n}.jpg")
        for n in "abcd"
    ]
    results = [gold[0], gold[1], gold[1], line([], image_path="other.jpg")]
    left_out = evaluate(gold, results, STEP_1, Resampling(100))
    assert left_out.overall["r1_50"].value == 1.0
    assert left_out.coverage == 0.5
    totals = left_out.tally.totals
    assert (totals.gold, totals.judged, totals.without_result) == (4, 2, 2)
    assert (totals.without_gold, totals.repeated) == (1, 1)
    wrong = evaluate(gold, results, JudgeOptions("step_1", missing="wrong"), Resampling(100))
    assert wrong.overall["r1_50"].value == 0.5
    assert wrong.overall["absent_rejected"].value == 0.5
    assert wrong.coverage == 0.5


def test_results_of_step_0_alone_are_judged_on_expressions_alone():
    gold = [line([expression("A red car", [BOX]), expression("a lake", [])])]
    results = [line([expression("A red car", [])], pipeline_steps=["step0_expression_extraction"])]
    figures = overall(gold, results, JudgeOptions())
    assert (figures["expression_precision"], figures["expression_recall"]) == (1.0, 0.5)
    assert figures["r1_50"] is figures["any_box_f1"] is figures["absent_rejected"] is None


def test_instances_can_be_judged_as_if_filtered():
    gold = [line([expression("A red car", [BOX]), expression("a lake", [])])]
    results = [line([expression("A red car", [BOX, ELSEWHERE]), expression("a lake", [BOX])])]
    for instance, verdict in ((0, True), (1, False)):
        results[0]["expressions"][0]["instances"][instance]["verified"] = verdict
    results[0]["expressions"][1]["instances"][0]["verified"] = False
    plain = overall(gold, results)
    kept = overall(gold, results, drop_refuted=True)
    assert (plain["box_precision_50"], plain["absent_rejected"]) == (1 / 3, 0.0)
    assert (kept["box_precision_50"], kept["absent_rejected"]) == (1.0, 1.0)


def test_wrong_input_is_named():
    gold = [line([])]
    with pytest.raises(InputError, match="no gold"):
        evaluate([], gold)
    with pytest.raises(InputError, match="image_path and caption must be the same"):
        evaluate(gold, [line([], image_path="2.jpg")])
    with pytest.raises(InputError, match="the results, line 1 is not an annotation record"):
        evaluate(gold, [line([expression("A red car", [[0, 0, 2000, 5]])])])
    with pytest.raises(SpecError, match="min_span_iou is 0"):
        JudgeOptions(min_span_iou=0)
    with pytest.raises(SpecError, match="steps is 'step_2'"):
        JudgeOptions(steps="step_2")  # pyright: ignore[reportArgumentType]


def test_everything_is_json():
    import json

    gold = [line([expression("A red car", [BOX], [0.7])], image_path=f"{n}.jpg") for n in range(3)]
    written = json.loads(json.dumps(evaluate(gold, gold).to_dict(), allow_nan=False))
    assert written["overall"]["r1_50"] == {
        "value": 1.0,
        "low": pytest.approx(3 / (3 + 1.959964**2)),
        "high": 1.0,
        "of": 3,
    }
    assert written["samples"]["coverage"] == 1.0
    assert CAPTION not in json.dumps(written)


def test_repeated_lines_are_counted_and_said():
    gold = [line([expression("A red car", [BOX])], image_path=f"{n}.jpg") for n in (1, 2, 1)]
    gold.append(gold[0] | {"caption": gold[0]["caption"] + " "})
    evaluation = evaluate(gold, [*gold[:2], gold[1]], STEP_1, Resampling(100))
    totals = evaluation.tally.totals
    assert (totals.gold, totals.judged, totals.repeated_gold, totals.repeated) == (2, 2, 2, 1)
    said = [row for row in figure_rows(evaluation) if row[0] == "Repeated lines"]
    assert [(row[1], row[3].split(",")[0]) for row in said] == [("2", "of gold"), ("1", "of the results")]

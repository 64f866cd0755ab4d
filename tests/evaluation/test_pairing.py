"""Which found expression is judged as which of gold: by span, by head, and by the cleaned caption."""

import pytest

from grounding_assets.core.evaluation import JudgeOptions
from tests.evaluation.lines import BOX, CAPTION, ELSEWHERE, STEP_1, expression, line, overall


def test_expressions_by_overlap_of_spans():
    # gold: "A red car", "two dogs", "a tree", "a lake"
    # "red car": 7 of 9 characters, a partner; "dogs": 4 of 8, a partner at 0.5; "tree near a lake": 16
    # characters, 6 shared with "a lake", 4 with "a tree" (of 18): not by span, but by its head, the tree; "two": none
    gold = [line([expression(text, []) for text in ("A red car", "two dogs", "a tree", "a lake")])]
    predicted = ["red car", "dogs", "tree near a lake", "two"]
    results = [line([expression(text, []) for text in predicted])]
    figures = overall(gold, results, JudgeOptions())
    for name in ("expression_precision", "expression_recall", "expression_f1"):
        assert (figures[name], figures[f"{name}_strict"]) == (3 / 4, 2 / 4)
    stricter = overall(gold, results, JudgeOptions(min_span_iou=0.6))
    # the dogs pair by their head then, too
    assert (stricter["expression_recall"], stricter["expression_recall_strict"]) == (3 / 4, 1 / 4)


def test_the_closest_expression_is_the_partner_wherever_it_stands():
    gold = [line([expression("A red car", [BOX])])]
    near, same = expression("A red car, two", [ELSEWHERE]), expression("A red car", [BOX])
    for results in ([near, same], [same, near]):
        assert overall(gold, [line(results)], JudgeOptions())["r1_50"] == 1.0


def test_in_both_steps_an_expression_that_was_not_found_is_a_miss():
    gold = [line([expression("A red car", [BOX]), expression("two dogs", [BOX]), expression("a lake", [])])]
    results = [line([expression("red car", [BOX]), expression("a tree", [BOX])])]
    figures = overall(gold, results, JudgeOptions())
    assert figures["r1_50"] == 1 / 2
    assert figures["box_recall_50"] == 1 / 2
    # the tree has no partner in gold: its box is not judged; nor is a lake that nobody looked for
    assert figures["box_precision_50"] == 1.0
    assert figures["absent_rejected"] is None


def test_step_1_alone_wants_the_same_span():
    gold = [line([expression("A red car", [BOX])])]
    results = [line([expression("red car", [BOX])])]
    assert overall(gold, results)["r1_50"] == 0.0
    assert overall(gold, results, JudgeOptions())["r1_50"] == 1.0


def test_captions_that_were_cleaned_differently_are_aligned():
    other = "There is a red car; two dogs and a tree near a lake can be seen."
    gold = [line([expression(text, [BOX]) for text in ("A red car", "two dogs", "a lake")])]
    found = [expression(text, [BOX], caption=other) for text in ("a red car", "two dogs", "a lake")]
    results = [line(found, cleaned_caption=other)]
    figures = overall(gold, results, JudgeOptions())
    assert figures["expression_f1"] == 1.0
    assert figures["r1_50"] == 1.0


def test_two_expressions_of_the_same_text_keep_their_places():
    caption = "a dog and a dog"
    gold = [
        line(
            [
                expression("a dog", [BOX], caption=caption),
                expression("a dog", [ELSEWHERE], caption=caption, start=10),
            ],
            caption=caption,
        )
    ]
    swapped = [
        line(
            [
                expression("a dog", [ELSEWHERE], caption=caption),
                expression("a dog", [BOX], caption=caption, start=10),
            ],
            caption=caption,
        )
    ]
    assert overall(gold, gold)["r1_50"] == 1.0
    assert overall(gold, swapped)["r1_50"] == 0.0


SAME_HEAD = {
    # gold, predicted, noun chunk of the model, caption
    "a measure before it": ("people", "A group of people", "group", "A group of people by the sea."),
    "a measure, plain chunk": ("people", "A group of people", "people", "A group of people by the sea."),
    "all of it as the chunk": (
        "people",
        "A group of people",
        "A group of people",
        "A group of people by the sea.",
    ),
    "two measures": ("dogs", "a couple of rows of dogs", "dogs", "There is a couple of rows of dogs."),
    "what it does": ("A man", "A man riding a brown horse", "man", "A man riding a brown horse."),
    "where it is": (
        "a cat",
        "a cat on top of the old wooden table",
        "",
        "See a cat on top of the old wooden table.",
    ),
    "gold says more": ("A tall man in a red coat", "man", "man", "A tall man in a red coat."),
    "an attribute in -ing": ("a smiling young man", "man", "man", "Look, a smiling young man."),
}


@pytest.mark.parametrize(("text", "predicted", "chunk", "caption"), SAME_HEAD.values(), ids=SAME_HEAD)
def test_the_same_head_at_the_same_place_is_the_same_expression(text, predicted, chunk, caption):
    gold = [line([expression(text, [BOX], caption=caption)], caption=caption)]
    found = expression(predicted, [BOX], caption=caption) | {"noun_chunk": chunk}
    figures = overall(gold, [line([found], caption=caption)], JudgeOptions())
    assert (figures["expression_recall"], figures["box_recall_50"], figures["r1_50"]) == (1, 1, 1)
    assert (figures["expression_recall_strict"], figures["box_recall_50_strict"]) == (0, 0)


OTHER_HEAD = {
    "another noun of the same phrase": ("A man riding a brown horse", "horse", "A man riding a brown horse."),
    "what it lies on": (
        "a cat on top of the old wooden table",
        "table",
        "A bird, a cat on top of the old wooden table.",
    ),
    "the same noun elsewhere": ("A dog", "a dog with a red ball", "A dog and a dog with a red ball."),
    "what is in it": ("a glass of cold red wine", "wine", "See a glass of cold red wine."),
}


@pytest.mark.parametrize(("text", "predicted", "caption"), OTHER_HEAD.values(), ids=OTHER_HEAD)
def test_another_head_or_place_is_another_expression(text, predicted, caption):
    gold = [line([expression(text, [BOX], caption=caption)], caption=caption)]
    found = expression(predicted, [BOX], caption=caption)
    assert overall(gold, [line([found], caption=caption)], JudgeOptions())["expression_recall"] == 0


@pytest.mark.parametrize("end", [" ", "\n", "  \t", "\u00a0"])
def test_white_space_in_captions_means_nothing(end):
    """Gold strips what real captions end in; 14 % of COCO's do."""
    gold = [line([expression("A red car", [BOX])])]
    spaced = "A red  car," + CAPTION.removeprefix("A red car,") + end
    result = line([expression("A red  car", [BOX], caption=spaced)], caption=spaced)
    for options in (JudgeOptions(), STEP_1):
        assert overall(gold, [result], options)["r1_50"] == 1.0

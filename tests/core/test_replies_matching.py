import pytest

from grounding_assets.core.replies import (
    ParsedGrounding,
    ReplyEntry,
    Statement,
    match_entries,
    parse_grounding,
)

A, B, C = (1.0, 2.0, 30.0, 40.0), (5.0, 6.0, 70.0, 80.0), (9.0, 9.0, 99.0, 99.0)
ASKED = [("e0", "A red car"), ("e1", "the tree"), ("e2", "a dog")]


def entry(name=None, *boxes, id=None, **kwargs):
    labels = (name,) if isinstance(name, str) else tuple(name or ())
    return ReplyEntry(id, labels, boxes, (None,) * len(boxes), **kwargs)


def document(*entries):
    return ParsedGrounding((Statement(entries),))


def boxes_of(entries, asked=ASKED):
    result = match_entries(document(*entries), asked)
    assert len(result.per_expression) == len(asked)
    return [m.boxes if m.mentioned else None for m in result.per_expression], result.unmatched_boxes


CASES = {
    "by id": ([entry(None, A, id="e1")], [None, (A,), None]),
    "the text beats the id": ([entry("a dog", A, id="e1")], [None, None, (A,)]),
    "one text contradicts its id: no id is trusted": (
        [entry("a dog", A, id="e1"), entry("a dog", B, id="e2")],
        [None, None, (A, B)],
    ),
    "a text that nobody asked leaves the id": ([entry("ein Hund", A, id="e2")], [None, None, (A,)]),
    "by id in capitals": ([entry(None, A, id="E0")], [(A,), None, None]),
    "an id where the text goes, in capitals": ([entry("E0", A)], [(A,), None, None]),
    "an unknown id leaves the text": ([entry("a dog", A, id="7")], [None, None, (A,)]),
    "by exact text": ([entry("the tree", A)], [None, (A,), None]),
    "the id where the text goes": ([entry("e2", A)], [None, None, (A,)]),
    "the text where the id goes": ([entry(None, A, id="a dog")], [None, None, (A,)]),
    "by case and space": ([entry("a RED  car ", A)], [(A,), None, None]),
    "by article and full stop": ([entry("The dog.", A), entry("tree", B)], [None, (B,), (A,)]),
    "by another language's name": ([entry(("车", "a dog"), A)], [None, None, (A,)]),
    "several entries": ([entry("a dog", A), entry("a dog", B)], [None, None, (A, B)]),
    "none seen is a mention": ([entry("a dog")], [None, None, ()]),
    "nothing": ([], [None, None, None]),
}


@pytest.mark.parametrize("case", CASES)
def test_cases(case):
    entries, expected = CASES[case]
    assert boxes_of(entries) == (expected, 0)


@pytest.mark.parametrize("name", ["car", "a dog house", "e3", "", None])
def test_what_fits_nothing_is_counted_and_goes_to_nobody(name):
    assert boxes_of([entry(name, A, B)]) == ([None, None, None], 2)


def test_normalised_text_that_fits_two_different_expressions_goes_to_neither():
    asked = [("e0", "A dog"), ("e1", "a dog")]
    assert boxes_of([entry("the dog", A)], asked) == ([None, None], 1)
    assert boxes_of([entry("A dog", A), entry("a dog", B)], asked) == ([(A,), (B,)], 0)


def test_expressions_with_one_text():
    asked = [("e0", "a dog"), ("e1", "a cat"), ("e2", "a dog")]
    assert boxes_of([entry(None, A, id="e2")], asked)[0] == [None, None, (A,)]
    assert boxes_of([entry("a dog", A), entry("a dog", B)], asked)[0] == [(A,), None, (B,)]
    assert boxes_of([entry("a dog", A, B)], asked)[0] == [(A, B), None, (A, B)]
    assert boxes_of([entry("a dog", A), entry("a dog", B), entry("A dog", C)], asked)[0] == [
        (A, B, C),
        None,
        (A, B, C),
    ]


def test_what_is_uncertain_about_an_entry_is_kept():
    entries = (entry("a dog", A, unreadable=1), entry("a dog", B), entry("the tree", unreadable=2))
    car, tree, dog = match_entries(document(*entries), ASKED).per_expression
    assert (car.mentioned, car.unreadable) == (False, 0)
    assert (tree.mentioned, tree.boxes, tree.unreadable) == (True, (), 2)
    assert (dog.boxes, dog.unreadable) == ((A, B), 1)


def test_scores_stay_with_their_boxes():
    parsed = parse_grounding(
        '{"expressions": [{"id": "e2", "boxes": [{"box_2d": [1, 2, 30, 40], "score": 0.5}, [5, 6, 70, 80]]}]}'
    )
    dog = match_entries(parsed, ASKED).per_expression[2]
    assert (dog.boxes, dog.scores) == ((A, B), (0.5, None))


@pytest.mark.parametrize(
    "reply",
    [
        "<ref>e0</ref><box>[[1, 2, 30, 40]]</box><ref>e1</ref><box>[]</box>",
        "<|ref|>a red car<|/ref|><|det|>[[1, 2, 30, 40]]<|/det|><|ref|>the tree<|/ref|><|det|>[]<|/det|>",
        '{"A red car": {"bboxes": [[1, 2, 30, 40]], "scores": [0.9]}, "the tree": {"bboxes": []}}',
        '{"e0": [[1, 2, 30, 40]], "e1": []}',
        '{"e0": {"text": "the car", "bbox": [1, 2, 30, 40]}, "e1": {"text": "the tree", "bbox": []}}',
        '{"objects": [{"label": "A red car", "bbox": [1, 2, 30, 40]}, {"label": "the tree", "bbox": null}]}',
    ],
)
def test_every_form_says_what_is_none_and_what_is_not_mentioned(reply):
    assert boxes_of(parse_grounding(reply).entries) == ([(A,), (), None], 0)


def test_an_envelope_is_no_name():
    parsed = parse_grounding('{"objects": [{"label": "zebra", "bbox": [1, 2, 30, 40]}]}')
    assert boxes_of(parsed.entries, [("e0", "the objects")]) == ([None], 1)

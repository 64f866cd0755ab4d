"""Unreadable, truncated and nothing there are three different things."""

import pytest

from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.replies import parse_grounding
from grounding_assets.core.replies.answer import MAX_REPLY_CHARS
from grounding_assets.core.replies.grounding import MAX_BOXES

A, B = (1.0, 2.0, 30.0, 40.0), (5.0, 6.0, 70.0, 80.0)
CONTRACT = (
    '{"expressions": [{"id": "e0", "boxes": [{"box_2d": [1, 2, 30, 40], "score": 0.93}, '
    '{"box_2d": [5, 6, 70, 80], "score": 0.5}]}, {"id": "e1", "boxes": []}]}'
)
FLAT = '{"bbox_2d": [1, 2, 30, 40], "label": "car"}'

NO_NUMBERS = ["NaN", "Infinity", "1e999", "true", "null", '"wide"', "1e7", "[3]", '"10px"']


@pytest.mark.parametrize("number", NO_NUMBERS)
def test_what_is_no_number_makes_no_box(number):
    bad = f'{{"label": "dog", "bbox": [1, 2, {number}, 40]}}'
    parsed = parse_grounding(f"[{FLAT}, {bad}]")
    assert [entry.boxes for entry in parsed.entries] == [(A,), ()]
    assert [entry.unreadable > 0 for entry in parsed.entries] == [False, True]
    assert parsed.unreadable > 0
    with pytest.raises(SampleFailure, match="where boxes should be"):
        parse_grounding(f"[{bad}]")


@pytest.mark.parametrize(
    "box", ["[1, 2, 3]", "[1, 2, 3, 4, 5]", "[1, 2, 3 4]", "[1,, 3, 4, 5]", "[1, 2, x, 3, 4]", '""', "{}"]
)
def test_other_than_four_numbers_is_no_box(box):
    parsed = parse_grounding(f'[{FLAT}, {{"label": "dog", "bbox": {box}}}]')
    assert [entry.boxes for entry in parsed.entries if entry.label == "dog"] == [()]
    assert parsed.unreadable == 1


def test_an_entry_without_any_box_key_does_not_say_none():
    parsed = parse_grounding(f'[{FLAT}, {{"label": "dog"}}]')
    assert [(entry.label, entry.unreadable) for entry in parsed.entries] == [("car", 0), ("dog", 1)]


UNPARSABLE = {
    "empty": "",
    "blank": " \n\ufeff",
    "prose": "There are two dogs in this picture, at 10, 20, 30, 40.",
    "refusal": "I'm sorry, I can't help with identifying people.",
    "null": "null",
    "a number": "42",
    "an error": '{"error": "image not found", "boxes_found": 0}',
    "an empty object": "{}",
    "a brace in prose": "Use {} or {braces}.",
    "names only": '[{"text": "A red car", "noun_chunk": "car"}]',
    "HTML": '<p data-bbox="10 20 30 40">text</p>',
    "points": '[{"point_2d": [925, 618], "label": "car"}]',
    "Molmo": ' <points x1="32.0" y1="62.8" x2="68.5" y2="62.8" alt="speakers">speakers</points>',
    "Molmo, one": '<point x="32.0" y="62.8" alt="cup">cup</point>',
    "a name without a box": "<|ref|>cat<|/ref|>",
    "a quadrilateral": "sign<loc_10><loc_10><loc_90><loc_10><loc_90><loc_30><loc_10><loc_30>",
    "three locations in the middle": "car<loc_1><loc_2><loc_3> and so on",
    "too deep": "[" * 5000,
    "too long": "[" + "[1, 2, 3, 4]," * (MAX_REPLY_CHARS // 13) + "]",
    "too many": '{"car": [' + "[1, 2, 3, 4]," * (MAX_BOXES + 1) + "]}",
}


@pytest.mark.parametrize("case", UNPARSABLE)
def test_what_cannot_be_read_is_a_failure_and_never_nothing_there(case):
    with pytest.raises(SampleFailure) as failure:
        parse_grounding(UNPARSABLE[case])
    assert failure.value.reason == Reason.UNPARSABLE
    assert len(str(failure.value)) < 250


@pytest.mark.parametrize("case", ["points", "Molmo", "Molmo, one"])
def test_points_are_refused_by_name(case):
    with pytest.raises(SampleFailure, match="points instead of boxes"):
        parse_grounding(UNPARSABLE[case])


TRUNCATED = {
    "inside the first number": '{"expressions": [{"id": "e0", "boxes": [{"box_2d": [1',
    "inside the last number": '[{"label": "car", "bbox": [1, 2, 30, 4',
    "before the name": '[{"bbox": [1, 2, 30, 40], "lab',
    "inside the name": '[{"bbox": [1, 2, 30, 40], "label": "ca',
    "before the first entry": '{"expressions": [',
    "after the bracket": "```json\n[\n",
    "inside reasoning": "<think>The car is at [1, 2, 30, 40] and",
    "empty boxes that may go on": '{"expressions": [{"id": "e0", "boxes": [',
    "tokens": "<ref>car</ref><box>[[1, 2, 3",
    "Florence": "car<loc_1><loc_2><loc_3>",
}


@pytest.mark.parametrize("case", TRUNCATED)
def test_where_nothing_is_complete_the_failure_is_truncated(case):
    with pytest.raises(SampleFailure) as failure:
        parse_grounding(TRUNCATED[case])
    assert failure.value.reason == Reason.TRUNCATED


CUT = {
    "in the next box": CONTRACT[: CONTRACT.index("[5, 6") + 5],
    "after the box": CONTRACT[: CONTRACT.index(', "score": 0.5')],
    "between entries": CONTRACT[: CONTRACT.index('{"id": "e1"')],
    "in an empty list": CONTRACT[: CONTRACT.index("[]}]}") + 1],
    "in a fence": f'```json\n[{FLAT}, {{"bbox_2d": [5, 6,\n```',
    "mapping": '{"car": {"bboxes": [[1, 2, 30, 40], [5, 6, 7',
    "behind a whole one": f"{CONTRACT}\n{CONTRACT[:40]}",
    "tokens": "<ref>car</ref><box>[[1, 2, 30, 40]]</box><ref>dog</ref><box>[[5, 6",
    "a name": "<ref>car</ref><box>[[1, 2, 30, 40]]</box><ref>do",
    "Florence": "car<loc_1><loc_2><loc_30><loc_40><loc_5>",
}


@pytest.mark.parametrize("case", CUT)
def test_cut_is_cut_whatever_is_complete(case):
    try:
        assert parse_grounding(CUT[case]).truncated
    except SampleFailure as failure:
        assert failure.reason == Reason.TRUNCATED


def test_what_broke_off_before_a_whole_answer_does_not_count():
    parsed = parse_grounding(f"```json\n{CONTRACT[:40]}\n```\nOnce more:\n```json\n{CONTRACT}\n```")
    assert not parsed.truncated
    assert len(parsed.entries) == 2

"""The short path gives what the long path gives, or leaves the reply to it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grounding_assets.core.replies import match_entries, parse_grounding, read_obedient

ASKED = [("e0", "a boat"), ("e1", "two gulls"), ("e2", "a pier")]
numbers = st.integers(-50, 1100) | st.floats(-50, 1100) | st.sampled_from([0, 1, 1e6, -0.0])
scores = st.none() | st.floats(-1, 2) | st.integers(0, 2)
keys = st.sampled_from(["box_2d", "bbox_2d", "bbox"])


@st.composite
def boxes(draw: st.DrawFn) -> dict[str, Any]:
    box: dict[str, Any] = {draw(keys): draw(st.lists(numbers, min_size=4, max_size=4))}
    return box | ({"score": draw(scores)} if draw(st.booleans()) else {})


@st.composite
def replies(draw: st.DrawFn) -> str:
    """The JSON that was asked for, in any order and layout."""
    entries = [
        {"id": name, "boxes": draw(st.lists(boxes(), max_size=4))} for name, _ in draw(st.permutations(ASKED))
    ]
    return json.dumps({"expressions": entries}, indent=draw(st.sampled_from([None, 2])))


def on_the_long_path(reply: str):
    return match_entries(parse_grounding(reply), ASKED)


@given(replies())
def test_both_paths_read_the_same(reply: str):
    short = read_obedient(reply, ASKED)
    assert (short is None) == (not reply.startswith('{"'))
    assert short is None or short == on_the_long_path(reply)


RIGHT = '{"expressions": [{"id": "e0", "boxes": [{"bbox": [1, 2, 3, 4]}]}, {"id": "e1", "boxes": []}, {"id": "e2", "boxes": []}]}'
OTHERWISE = {
    "prose": f"Here: {RIGHT}",
    "a fence": f"```json\n{RIGHT}\n```",
    "an expression left out": RIGHT.replace(', {"id": "e2", "boxes": []}', ""),
    "an id that nobody asked": RIGHT.replace("e2", "e3"),
    "an id twice": RIGHT.replace("e2", "e1"),
    "a key twice": RIGHT.replace('"boxes": [{', '"boxes": [], "boxes": [{'),
    "a name beside the id": RIGHT.replace('"id": "e0"', '"id": "e0", "text": "a pier"'),
    "three numbers": RIGHT.replace("[1, 2, 3, 4]", "[1, 2, 3]"),
    "a truth value": RIGHT.replace("[1, 2, 3, 4]", "[1, 2, true, 4]"),
    "not a number": RIGHT.replace("[1, 2, 3, 4]", "[1, 2, NaN, 4]"),
    "a number beyond all frames": RIGHT.replace("[1, 2, 3, 4]", "[1, 2, 1e9, 4]"),
    "another key": RIGHT.replace('"bbox"', '"polygon"'),
    "another envelope": RIGHT.replace('"expressions"', '"results"'),
    "cut": RIGHT[:-1],
    "twice": RIGHT * 2,
    "nested too deep": '{"expressions": ' + "[" * 50_000,
}


@pytest.mark.parametrize("case", OTHERWISE)
def test_whatever_is_otherwise_goes_the_long_path(case: str):
    assert read_obedient(RIGHT, ASKED) == on_the_long_path(RIGHT)
    assert read_obedient(OTHERWISE[case], ASKED) is None

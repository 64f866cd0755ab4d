import json
import math
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from grounding_assets.core.errors import SampleFailure
from grounding_assets.core.replies.json_values import JsonArray, JsonObject
from grounding_assets.core.replies.lenient_json import MAX_DEPTH, Scanner

scalar = (
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(['", "a": ', "'", '"', "\\", "],", "}", "// x", "```", "\n", "{", "</think>", ", ["])
)
container = st.recursive(
    st.lists(scalar, max_size=3) | st.dictionaries(st.text(), scalar, max_size=3),
    lambda inner: (
        st.lists(inner | scalar, max_size=4) | st.dictionaries(st.text(), inner | scalar, max_size=4)
    ),
    max_leaves=12,
)


def plain(value):
    if isinstance(value, JsonObject):
        assert value.closed
        assert value.sound
        return {key: plain(member) for key, member in value.pairs}
    if isinstance(value, JsonArray):
        assert value.closed
        assert value.sound
        return [plain(element) for element in value.elements]
    return value


def scan(text):
    scanner = Scanner(text)
    return list(scanner.values()), scanner.repairs


def same(a, b):
    if isinstance(a, float) and isinstance(b, float | int):
        return math.isclose(a, b, rel_tol=1e-15) or a == b
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return type(a) is type(b) and a == b


@given(container, st.booleans(), st.sampled_from([None, 2, "\t"]))
def test_valid_json_is_read_as_the_standard_library_reads_it(value, ascii_only, indent):
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    [found], repairs = scan(text)
    assert same(plain(found), json.loads(text))
    assert repairs == 0


@given(
    container,
    st.sampled_from(["Here: ", "see [below] or {x} (1): ", "> "]),
    st.sampled_from(["", " ok.", "\n[end]"]),
)
def test_prose_around_changes_nothing(value, before, after):
    [found], _ = scan(before + json.dumps(value) + after)
    assert same(plain(found), value)


@given(container)
def test_python_literals_are_read_as_python_reads_them(value):
    text = repr(value)
    assume("\\" not in text)
    [found], _ = scan(text)
    assert same(plain(found), value)


@given(container, st.data())
def test_a_cut_value_is_never_closed(value, data):
    text = json.dumps(value)
    cut = data.draw(st.integers(1, len(text) - 1))
    found, _ = scan(text[:cut])
    assert len(found) <= 1
    assert not any(part.closed for part in found)


@given(st.dictionaries(st.text(), st.text(), min_size=1, max_size=3), st.data())
def test_a_cut_object_keeps_whole_members_only(value, data):
    text = json.dumps(value)
    cut = data.draw(st.integers(2, len(text) - 1))
    [found], _ = scan(text[:cut])
    assert isinstance(found, JsonObject)
    assert list(value.items())[: len(found.pairs)] == found.pairs


@pytest.mark.parametrize("depth", [MAX_DEPTH, MAX_DEPTH + 1])
def test_depth_is_bounded(depth):
    text = "[" * depth + "]" * depth
    if depth <= MAX_DEPTH:
        [found], _ = scan(text)
        assert found.closed
    else:
        with pytest.raises(SampleFailure, match="nests deeper"):
            scan(text)


def test_what_is_unreadable_is_left_out_and_marks_its_container_alone():
    [found], _ = scan('{"a": [1, what, 2], "b": {"c": }, "d": 3}')
    assert isinstance(found, JsonObject)
    members: dict[str, Any] = dict(found.pairs)
    assert (members["a"].elements, members["a"].sound) == ([1, 2], False)
    assert (members["b"].pairs, members["d"]) == ([], 3)
    assert found.sound

"""Whatever a model writes, the parser answers in bounded time, with a result or with a `SampleFailure`."""

import math
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.replies import match_entries, parse_extraction, parse_grounding
from tests.reply_table import FOLDER, rows

SEEDS = [
    '{"expressions": [{"id": "e0", "boxes": [{"box_2d": [10, 20, 300, 400], "score": 0.9}]}, {"id": "e1", "boxes": []}]}',
    "[{'label': 'a \"red\" car', 'bbox': (1, 2, 30, 40)}, {'label': 'dog', 'bbox': None},]",
    '{"cleaned_caption": "A red car.", "expressions": [{"text": "A red car", "noun_chunk": "car", "char_span": [0, 9]}]}',
    '<think>[1, 2, 3, 4]</think>```json\n{"car": {"bboxes": [[1, 2, 3, 4]], "scores": [0.5]}}\n```',
    "<ref>car</ref><box>[[1, 2, 30, 40], [5, 6, 70, 80]]</box><|ref|>e1<|/ref|><|det|>[]<|/det|>",
    "<|object_ref_start|>car<|object_ref_end|><|box_start|>(1,2),(30,40)<|box_end|>",
    "car<loc_1><loc_2><loc_30><loc_40>dog<loc_5><loc_6><loc_70><loc_80><loc_1>",
    "<phrase> a car</phrase><object><patch_index_0065><patch_index_0264></object>",
    *([row["raw_text"][:1500] for row in rows()] if FOLDER.exists() else []),
]
PIECES = [
    *('"', "'", "\\", "{", "}", "[", "]", "(", ")", ",", ":", "\n", "```", "```json\n", "//", "NaN", "-", "1e999", "null"),
    *("<think>", "</think>", "<ref>", "</ref>", "<box>", "</box>", "<|det|>", "<loc_5>", "<loc0005>", "<patch_index_0001>"),
    *('"bbox": ', '"label": ', '"boxes": []', '"points": [[1, 2]]', "\\ud800", "\x00", "\ud800", "é", "𝟜", "٣", "[1, 2, 3, 4]"),
]  # fmt: skip
piece = st.sampled_from(PIECES) | st.text(max_size=5)
soup = st.lists(piece, max_size=40).map("".join)


@st.composite
def mutated(draw):
    """A reply with pieces cut out, doubled or put in."""
    text = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 4))):
        a, b = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
        b = min(b, a + 60)
        text = draw(
            st.sampled_from([text[:a] + text[b:], text[:b] + text[a:], text[:a]])
            | st.just(text[:a]).flatmap(
                lambda head, tail=text[b:]: piece.map(lambda middle: head + middle + tail)
            )
        )
    return text


def read(reply):
    """Both parsers on one text; checks what must hold of every result."""
    try:
        extraction = parse_extraction(reply)
    except SampleFailure as failure:
        assert failure.reason in (Reason.UNPARSABLE, Reason.TRUNCATED)
    else:
        assert extraction.cleaned_caption.strip()
        assert all(phrase.text.strip() for phrase in extraction.phrases)
        extraction.cleaned_caption.encode()
    try:
        grounding = parse_grounding(reply)
    except SampleFailure as failure:
        assert failure.reason in (Reason.UNPARSABLE, Reason.TRUNCATED)
        return
    digits = set(re.findall(r"\d", reply))
    for entry in grounding.entries:
        assert len(entry.boxes) == len(entry.scores)
        for box in entry.boxes:
            assert len(box) == 4
            assert all(math.isfinite(edge) for edge in box)
        assert all(score is None or 0 <= score <= 1 for score in entry.scores)
        assert not entry.boxes or digits
        "".join(entry.labels).encode()
    result = match_entries(grounding, [("e0", "A red car"), ("e1", "a dog"), ("e2", "a dog")])
    assert result.unmatched_boxes <= sum(len(entry.boxes) for entry in grounding.entries)


@given(soup)
def test_arbitrary_text(text):
    read(text)


@given(mutated())
def test_mutated_replies(text):
    read(text)


@given(st.sampled_from(SEEDS), st.data())
def test_a_cut_reply_holds_no_box_that_the_whole_one_has_not(reply, data):
    cut = data.draw(st.integers(0, len(reply)))
    try:
        whole = parse_grounding(reply)
        part = parse_grounding(reply[:cut])
    except SampleFailure:
        return
    if whole.truncated:
        return
    known = [box for entry in whole.entries for box in entry.boxes]
    assert all(box in known for entry in part.entries for box in entry.boxes)


N = 50_000
HOSTILE = {
    "brackets apart": "[ " * (N // 2),
    "opening braces": "{" * N,
    "quotes": "\"' " * (N // 3),
    "elements with doubtful quotes": "[" + '"a" b, ' * (N // 7),
    "members with doubtful quotes": '{"a": ' + '"x", \'k ' * (N // 8),
    "glued strings": '["a' + '"b' * (N // 2),
    "escapes": '["' + '\\"' * (N // 2),
    "white space": "[" + " " * (N - 2),
    "comments": "[" + "//" * (N // 2),
    "a long number": "[" + "1" * N,
    "a long word": "{" + "a" * N,
    "fences": "\n```" * (N // 4),
    "reasoning": "<think>" * (N // 7),
    "reasoning that ends": "</think>" * (N // 8),
    "names": "<ref>" * (N // 5),
    "boxes": "<box>[[1," * (N // 9),
    "locations": "<loc_1>" * (N // 7),
    "separate locations": "<loc_1>a" * (N // 8),
    "patches": "<object>" + "<patch_index_0001>" * (N // 18),
    "small objects": "[" + '{"a":1},' * (N // 8),
    "captions in captions": '{"cleaned_caption":"x","b":' * 60,
    "digits in a string": '{"bbox": "' + "1 " * (N // 2) + '"}',
    "no space between": "[" + "{}" * (N // 2),
    "closers": "[{" + "]}" * (N // 2),
    "names of one object": "{" + '"label":"x",' * (N // 12) + "}",
    "combining marks": '{"cleaned_caption": "e' + "\u0301" * (N // 2) + '", "expressions": ["e"]}',
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_replies_take_bounded_time(case):
    began = time.process_time()
    read(HOSTILE[case])
    assert time.process_time() - began < 8, "quadratic: a linear reading takes a second or two"

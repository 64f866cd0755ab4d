import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.replies import parse_extraction
from grounding_assets.core.replies.extraction import MAX_PHRASES
from grounding_assets.core.spans.alignment import Phrase, to_expressions

CAR, TREE = Phrase("A red car", "car"), Phrase("a tree", "tree")
REPLY = (
    '{"cleaned_caption": "A red car by a tree.", "expressions": '
    '[{"text": "A red car", "noun_chunk": "car"}, {"text": "a tree", "noun_chunk": "tree"}]}'
)
CAPTION = "A red car by a tree."

FORMS = {
    "the contract": (REPLY, CAPTION, (CAR, TREE)),
    "fence and prose": (f"Here:\n```json\n{REPLY}\n```\nAnything else?", CAPTION, (CAR, TREE)),
    "reasoning": (
        f'<think>{{"cleaned_caption": "x", "expressions": []}}</think>{REPLY}',
        CAPTION,
        (CAR, TREE),
    ),
    "in a list": (f"[{REPLY}]", CAPTION, (CAR, TREE)),
    "in an envelope": (f'{{"result": {REPLY}}}', CAPTION, (CAR, TREE)),
    "a draft first": (
        f'{{"cleaned_caption": "x", "expressions": ["y"]}} better: {REPLY}',
        CAPTION,
        (CAR, TREE),
    ),
    "none seen": ('{"cleaned_caption": "Nice!", "expressions": []}', "Nice!", ()),
    "strings": (
        '{"cleaned_caption": "A red car.", "expressions": ["A red car"]}',
        "A red car.",
        (Phrase("A red car"),),
    ),
    "TAO's older form": (
        '{"cleaned_caption": "A car.", "expressions": [{"text": "A car", "char_span": [0, 5], "noun_chunk": "car"}]}',
        "A car.",
        (Phrase("A car", "car", 0),),
    ),
    "useless hints": (
        '{"cleaned_caption": "A car.", "expressions": [{"text": "A car", "char_span": ["x", null], "noun_chunk": ""}]}',
        "A car.",
        (Phrase("A car"),),
    ),
    "the list twice": (
        '{"cleaned_caption": "A car.", "expressions": ["A car"], "expressions": ["car"]}',
        "A car.",
        (Phrase("A car"), Phrase("car")),
    ),
    "blank edges": ('{"cleaned_caption": " A car.\\n", "expressions": []}', "A car.", ()),
    "quotes that are not escaped": (
        '{"cleaned_caption": "An "Apple" logo, and "Court Order".", "expressions": ["An "Apple" logo"]}',
        'An "Apple" logo, and "Court Order".',
        (Phrase('An "Apple" logo'),),
    ),
    "Python": (
        "{'cleaned_caption': 'The dog's bone', 'expressions': ('The dog',)}",
        "The dog's bone",
        (Phrase("The dog"),),
    ),
    "marks of other forms": (
        '{"cleaned_caption": "A <box> with </s> ``` {x} [1, 2, 3, 4]", "expressions": ["A <box>"]}',
        "A <box> with </s> ``` {x} [1, 2, 3, 4]",
        (Phrase("A <box>"),),
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms(form):
    reply, caption, phrases = FORMS[form]
    parsed = parse_extraction(reply)
    assert (parsed.cleaned_caption, parsed.phrases) == (caption, phrases)
    assert parsed.unreadable == 0


FAILURES = {
    "empty": ("", Reason.UNPARSABLE),
    "prose": ("A red car by a tree.", Reason.UNPARSABLE),
    "no caption": ('{"expressions": ["a car"]}', Reason.UNPARSABLE),
    "an empty caption": ('{"cleaned_caption": " ", "expressions": []}', Reason.UNPARSABLE),
    "a caption that is none": ('{"cleaned_caption": 3, "expressions": []}', Reason.UNPARSABLE),
    "no list": ('{"cleaned_caption": "A car."}', Reason.UNPARSABLE),
    "null for a list": ('{"cleaned_caption": "A car.", "expressions": null}', Reason.UNPARSABLE),
    "nothing readable in the list": (
        '{"cleaned_caption": "A car.", "expressions": [{"noun": "car"}, 3]}',
        Reason.UNPARSABLE,
    ),
    "text outside the strings": (
        '{"cleaned_caption": "A "car", x {y} z", "expressions": ["car"]}',
        Reason.UNPARSABLE,
    ),
    "words between the parts": (
        '{"cleaned_caption": "A car", parked, "expressions": ["A car"]}',
        Reason.UNPARSABLE,
    ),
    "too many": (
        json.dumps({"cleaned_caption": "x", "expressions": ["x"] * (MAX_PHRASES + 1)}),
        Reason.UNPARSABLE,
    ),
    "cut in the caption": ('{"cleaned_caption": "A red', Reason.TRUNCATED),
    "cut after the caption": ('{"cleaned_caption": "A red car."', Reason.TRUNCATED),
    "cut before the first phrase": ('{"cleaned_caption": "A car.", "expressions": [', Reason.TRUNCATED),
    "cut in the first phrase": (
        '{"cleaned_caption": "A car.", "expressions": [{"text": "A c',
        Reason.TRUNCATED,
    ),
    "cut in reasoning": ("<think>The caption", Reason.TRUNCATED),
}


@pytest.mark.parametrize("case", FAILURES)
def test_what_cannot_be_read_is_a_failure(case):
    reply, reason = FAILURES[case]
    with pytest.raises(SampleFailure) as failure:
        parse_extraction(reply)
    assert failure.value.reason == reason


def test_cut_is_cut_whatever_is_complete():
    for cut in range(REPLY.index('{"text": "a tree"'), len(REPLY) - 1):
        with pytest.raises(SampleFailure) as failure:
            parse_extraction(REPLY[:cut])
        assert failure.value.reason == Reason.TRUNCATED


@pytest.mark.parametrize("end", ["", "\n```", "\n\n\n", "\n</answer>"])
def test_a_reply_that_ended_for_length_behind_its_own_closing(end):
    assert parse_extraction(f"```json\n{REPLY}{end}", ended_for_length=True).phrases == (CAR, TREE)


@pytest.mark.parametrize("tail", [" But wait, the tree", "\n{", f"\n{REPLY[:30]}", "<think>hm"])
def test_a_draft_of_a_reply_that_ended_for_length_is_no_answer(tail):
    with pytest.raises(SampleFailure) as failure:
        parse_extraction(f"Let me see. {REPLY}{tail}", ended_for_length=True)
    assert failure.value.reason == Reason.TRUNCATED


def test_phrases_that_cannot_be_read_are_counted():
    parsed = parse_extraction('{"cleaned_caption": "A car.", "expressions": ["A car", {"x": 1}, null, " "]}')
    assert (parsed.phrases, parsed.unreadable) == ((Phrase("A car"),), 3)


@given(
    st.text(min_size=1).filter(lambda text: text.strip(" \n") == text and text.strip() == text),
    st.lists(st.text(min_size=1), max_size=5),
    st.booleans(),
)
def test_whatever_a_caption_says_it_stays_a_string(caption, phrases, ascii_only):
    reply = json.dumps(
        {
            "cleaned_caption": f"x{caption}x",
            "expressions": [{"text": f"x{p}x", "noun_chunk": "x"} for p in phrases],
        },
        ensure_ascii=ascii_only,
    )
    parsed = parse_extraction(reply)
    assert parsed.cleaned_caption == f"x{caption}x"
    assert [phrase.text for phrase in parsed.phrases] == [f"x{p}x" for p in phrases]
    assert parsed.repairs == 0


def test_from_a_reply_to_expressions():
    parsed = parse_extraction(
        REPLY.replace("A red car", "a red car", 2).replace("a red car by", "A red car by")
    )
    found = to_expressions(parsed.cleaned_caption, parsed.phrases)
    rows = [(e.text, e.char_span, e.noun_chunk, e.span_status) for e in found.expressions]
    assert rows == [("A red car", (0, 9), "car", "repaired"), ("a tree", (13, 19), "tree", "exact")]

"""Whatever the caption: spans of generated captions, and the time that hostile ones take."""

import time

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from grounding_assets.core.spans.alignment import Phrase, locate_phrases, to_expressions
from grounding_assets.core.spans.folding import cluster_edges, comparison_key, fold, trimmed
from tests.core.located import check

WORDS = [
    *(
        "a",
        "the",
        "A",
        "cat",
        "Cat",
        "CATS",
        "dog's",
        "dog’s",
        "Straße",
        "STRASSE",
        "ﬁsh",
        "İzmir",
        "naïve",
        "nai\u0308ve",
    ),
    *(
        "\u0430\u0301",
        "Ёлка",
        "猫",
        "一只猫",
        "ねこが",
        "고양이가",
        "\u1100\u1161\u11a8",
        "แมว",
        "हिन्दी",
        "קטה",
        "شجرة",
        "می‌خوانم",
    ),
    *(
        "👩‍🚀",
        "👍🏽",
        "❤️",
        "🇩🇪🇫🇷",
        "{cat}",
        "{0}",
        "%s",
        '"Apple"',
        "“Apple”",
        "'x'",
        "<b>",
        "\\n",
        "½",
        "Ⅳ",
        "ﷺ",
    ),
    *("\u200b", "\u200f", "\ufeff", "\u0301", "\u0345", "zo\u00ad\u200bo", "e\u0301\u0323", "Ǆ", "ŉ", "101"),
]
word = st.sampled_from(WORDS) | st.text(max_size=6)
gap = st.sampled_from([" ", " ", "  ", "\n", "\u00a0", "\u3000", "", ", ", ". ", "-"])
caption_text = st.lists(st.tuples(word, gap), min_size=1, max_size=14).map(
    lambda parts: "".join(text + space for text, space in parts)
)


@st.composite
def caption_and_phrases(draw):
    """A caption, and phrases that are cut out of it, altered, cut anywhere, or made up."""
    caption = draw(caption_text)
    at = st.integers(0, len(caption))
    cut = st.tuples(at, at).map(lambda ends: caption[min(ends) : max(ends)])
    change = st.sampled_from(
        [str.upper, str.lower, str.title, lambda t: f" {t}. ", lambda t: t.replace(" ", "  ")]
    )
    altered = st.tuples(cut, change).map(lambda pair: pair[1](pair[0]))
    claim = st.none() | st.integers(-5, 200)
    phrase = st.builds(Phrase, cut | altered | word, st.none() | word, claim)
    return caption, draw(st.lists(phrase, max_size=8))


@given(caption_and_phrases())
@example(("\u0301 \u0301", [Phrase("\u0301")]))
def test_whatever_the_caption_every_span_is_right_and_nothing_is_lost(sample):
    caption, phrases = sample
    check(caption, phrases, locate_phrases(caption, phrases))
    found = to_expressions(caption, phrases)
    assert len(found.expressions) + len(found.dropped) == len(phrases)
    assert found.repaired == sum(e.span_status == "repaired" for e in found.expressions)
    spans = [expression.char_span for expression in found.expressions]
    assert spans == sorted(spans)
    for expression in found.expressions:
        start, end = expression.char_span
        assert caption[start:end] == expression.text
        assert expression.noun_chunk


@given(st.lists(word, min_size=1, max_size=9), st.data())
def test_a_planted_phrase_is_found_where_it_was_planted(words, data):
    caption = " ".join(words)
    first = data.draw(st.integers(0, len(words) - 1))
    last = data.draw(st.integers(first, len(words) - 1))
    planted = trimmed(" ".join(words[first : last + 1]))
    start = len(" ".join([*words[:first], ""])) if first else 0
    start = caption.index(planted, start) if planted else 0
    end = start + len(planted)
    assume(planted and planted == planted.strip() and {start, end} <= cluster_edges(caption))
    [place] = locate_phrases(caption, [Phrase(planted, None, start)])
    assert place.status == "exact"
    assert place.char_span == (start, end)

    assume(comparison_key(planted))
    changed = data.draw(st.sampled_from([planted.upper(), planted.replace(" ", "\n "), f"“{planted}”"]))
    assume(fold(changed.strip("“”")).text == fold(planted).text)
    [place] = locate_phrases(caption, [Phrase(changed, None, start)])
    assert place.char_span is not None
    assert comparison_key(caption[slice(*place.char_span)]) == comparison_key(planted)


@pytest.mark.parametrize(
    ("caption", "phrases"),
    [
        ("a" * 50_000, ["a" * n for n in range(1, 300)]),
        ("ab " * 20_000, ["ab", "ab ab", "zz ab ab ab ab ab"] * 60),
        ("word " * 20_000, [f"another phrase number {n} that is long enough" for n in range(300)]),
        ("e" + "\u0301" * 50_000, ["e", "e\u0301"]),
        (" " * 100_000, [" ", "  x"]),
    ],
    ids=["one long word", "many repeats", "many fuzzy searches", "many marks", "blank"],
)
def test_hostile_captions_take_bounded_time(caption, phrases):
    began = time.perf_counter()
    check(caption, [Phrase(p) for p in phrases], locate_phrases(caption, [Phrase(p) for p in phrases]))
    assert time.perf_counter() - began < 10


@given(st.text(st.characters(max_codepoint=127), max_size=20))
def test_ascii_folds_as_it_does_beside_other_letters(text: str) -> None:
    """Text of ASCII alone is folded on a short path; one other letter takes the text off it."""
    alone, beside = fold(text), fold(f"{text}é")
    assert alone.text == beside.text[:-1]
    assert (alone.starts, alone.ends) == (beside.starts[:-1], beside.ends[:-1])

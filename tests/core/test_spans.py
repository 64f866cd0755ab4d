"""Where phrases stand in a caption, case by case."""

import json

import numpy as np
import pytest
import regex

from grounding_assets.core.spans.alignment import Phrase, locate_phrases, to_expressions
from grounding_assets.core.spans.edit_distance import closest_windows
from grounding_assets.core.spans.folding import comparison_key
from tests.core.located import check
from tests.corpus import CORPUS, needs_corpus


def texts_of(caption, *phrases):
    """(status, text) of each phrase, after checking what always holds."""
    phrases = [phrase if isinstance(phrase, Phrase) else Phrase(phrase) for phrase in phrases]
    located = locate_phrases(caption, phrases)
    check(caption, phrases, located)
    return [
        (place.status, caption[slice(*place.char_span)] if place.char_span else None) for place in located
    ]


CASES = {
    "exact": ("A red car.", ["red car"], [("exact", "red car")]),
    "case": ("A RED CAR.", ["a red car"], [("repaired", "A RED CAR")]),
    "white space": ("a  red\ncar", ["a red car"], [("repaired", "a  red\ncar")]),
    "no-break space": ("a red\u00a0car", ["red car"], [("repaired", "red\u00a0car")]),
    "edge white space": ("a cat \n", [" a cat \n"], [("exact", "a cat")]),
    "quotes": ('An "Apple" logo', ["An “Apple” logo"], [("repaired", 'An "Apple" logo')]),
    "single for double quotes": ('An "Apple" logo', ["An 'Apple' logo"], [("repaired", 'An "Apple" logo')]),
    "apostrophe": ("the dog’s ball", ["the dog's ball"], [("repaired", "the dog’s ball")]),
    "dash": ("a half-timbered house", ["half–timbered house"], [("repaired", "half-timbered house")]),
    "full stop": ("a tree and a cat", ["A tree."], [("repaired", "a tree")]),
    "wrapped in quotes": ("a tree and a cat", ['"a cat"'], [("repaired", "a cat")]),
    "other article": ("a red car", ["the red car"], [("repaired", "a red car")]),
    "no article there": ("red car, parked", ["the red car"], [("repaired", "red car")]),
    "casefold grows": ("Eine Straße im Ort", ["eine STRASSE"], [("repaired", "Eine Straße")]),
    "after a grown letter": ("ẞẞ İ große Tür", ["GROSSE TÜR"], [("repaired", "große Tür")]),
    "ligature": ("two ﬁsh here", ["two fish"], [("repaired", "two ﬁsh")]),
    "full width": ("ＡＢ 猫", ["ab 猫"], [("repaired", "ＡＢ 猫")]),
    "composed and decomposed": ("un cafe\u0301 noir", ["café noir"], [("repaired", "cafe\u0301 noir")]),
    "marks are not cut": ("cafe\u0301", ["cafe"], [("dropped", None)]),
    "syllables are not cut": ("각", ["가"], [("dropped", None)]),
    "decomposed syllables": ("\u1100\u1161\u11a8 집", ["각"], [("repaired", "\u1100\u1161\u11a8")]),
    "emoji sequences are not cut": ("👩‍🚀 waves", ["👩"], [("dropped", None)]),
    "emoji with modifier": ("a 👍🏽 sign", ["👍🏽"], [("exact", "👍🏽")]),
    "emoji presentation": ("a ❤️ sign", ["❤"], [("repaired", "❤️")]),
    "flags are not cut": ("🇩🇪🇫🇷", ["🇪🇫"], [("dropped", None)]),
    "flags of tags differ": (
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        ["🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"],
        [("dropped", None)],
    ),
    "zero width inside": ("a re\u200bd car", ["red car"], [("repaired", "re\u200bd car")]),
    "zero width joiner in Persian": ("کتاب می‌خوانم", ["میخوانم"], [("repaired", "می‌خوانم")]),
    "right to left": ("\u200fקטה שחורה על כיסא", ["קטה שחורה"], [("exact", "קטה שחורה")]),
    "prefixed word in Arabic": ("رجل والكلب", ["الكلب"], [("exact", "الكلب")]),
    "no spaces in Chinese": ("一只猫和一只狗", ["一只狗", "猫"], [("exact", "一只狗"), ("exact", "猫")]),
    "Thai": ("แมวสีดำบนโต๊ะ", ["บนโต๊ะ"], [("exact", "บนโต๊ะ")]),
    "braces": ("a {cat} <b>", ["{cat}", "<b>"], [("exact", "{cat}"), ("exact", "<b>")]),
    "not inside a word": ("a woman, a man", ["man"], [("exact", "man")]),
    "only inside a word": ("a woman", ["man"], [("dropped", None)]),
    "only inside a number": ("room 101", ["1"], [("dropped", None)]),
    "typing error": (
        "A CAT SITTION ON TOP OF IT",
        ["a cat sitting on top of it"],
        [("repaired", "A CAT SITTION ON TOP OF IT")],
    ),
    "plural": ("two giraffes in a zoo", ["two giraffe"], [("repaired", "two giraffes")]),
    "split word": ("a SKATE BOARDER crashed", ["skateboarder"], [("repaired", "SKATE BOARDER")]),
    "too different": ("a cat on a mat", ["a dog on a mat"], [("dropped", None)]),
    "the head must be alike": (
        "the cat that is on top of the suitcase",
        ["dog that is on top of the suitcase"],
        [("dropped", None)],
    ),
    "empty": ("a cat", ["", " \u200b"], [("dropped", None), ("dropped", None)]),
    "empty caption": ("", ["a cat"], [("dropped", None)]),
}


@pytest.mark.parametrize("case", CASES)
def test_named_cases(case):
    caption, phrases, expected = CASES[case]
    assert texts_of(caption, *phrases) == expected


def starts(caption, *phrases):
    phrases = [phrase if isinstance(phrase, Phrase) else Phrase(phrase) for phrase in phrases]
    located = locate_phrases(caption, phrases)
    check(caption, phrases, located)
    return [place.char_span[0] if place.char_span else None for place in located]


def test_repeats_are_given_out_left_to_right():
    assert starts("a dog, a dog, a dog", *["a dog"] * 4) == [0, 7, 14, None]


def test_a_claimed_offset_breaks_ties():
    caption = "a dog, a dog, a dog"
    assert starts(caption, Phrase("a dog", None, 14), "a dog") == [14, 0]
    assert starts(caption, Phrase("a dog", None, 8)) == [7]
    assert starts(caption, Phrase("a dog", None, -999), Phrase("a dog", None, 10**9)) == [0, 14]


def test_a_wrong_claim_does_not_move_a_phrase():
    assert texts_of("a cat and a dog", Phrase("a dog", None, 0)) == [("exact", "a dog")]


def test_what_a_longer_phrase_covers_comes_last():
    assert starts("a man in a hat and a man", "a man", "a man in a hat") == [19, 0]
    assert starts("a man in a hat", "a man", "a man in a hat") == [0, 0]
    assert starts("a man in a hat and a man", Phrase("a man", None, 0), "a man in a hat") == [0, 0]


def test_a_repeat_too_many_does_not_go_to_what_is_merely_similar():
    assert texts_of("a blue house, a blue horse", "a blue house", "a blue house") == [
        ("exact", "a blue house"),
        ("dropped", None),
    ]


def test_of_equally_close_windows_the_one_of_the_same_length_is_taken():
    everywhere = np.ones(5, dtype=bool)
    assert closest_windows("xab", "yyab", everywhere, everywhere, 1) == [(1, 4)]


def test_expressions_stand_in_reading_order_and_nothing_is_lost():
    caption = "A red car and the old tree near a car."
    found = to_expressions(
        caption,
        [
            Phrase("the old tree", "tree"),
            Phrase("a red car", "vehicle"),
            Phrase("two cats"),
            Phrase("a car", None, 32),
        ],
    )
    rows = [(e.text, e.char_span, e.noun_chunk, e.span_status) for e in found.expressions]
    assert rows == [
        ("A red car", (0, 9), "red car", "repaired"),
        ("the old tree", (14, 26), "tree", "exact"),
        ("a car", (32, 37), "car", "exact"),
    ]
    assert (found.repaired, found.dropped) == (1, ("two cats",))


@needs_corpus("captions")
def test_nasty_captions():
    lines = (CORPUS / "captions" / "nasty.jsonl").read_text(encoding="utf-8").splitlines()
    captions = [json.loads(line)["caption"] for line in lines]
    assert len(captions) == 41
    for caption in captions:
        words = [match.span() for match in regex.finditer(r"[\w'-]+", caption)]
        for first in range(len(words)):
            for last in range(first, min(first + 4, len(words))):
                start, end = words[first][0], words[last][1]
                quoted = caption[start:end]
                claimed = Phrase(quoted, None, start)
                assert locate_phrases(caption, [claimed])[0].char_span == (start, end)
                [(status, text)] = texts_of(caption, f" {' '.join(quoted.lower().split())}\n")
                assert status != "dropped" and text is not None
                assert comparison_key(text) == comparison_key(quoted)

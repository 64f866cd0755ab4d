"""Cleaning by rule: named cases, and what holds for any text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.local_teacher.captions import clean_caption

CASES = {
    "nothing to do": ("A cat sits on a chair.", "A cat sits on a chair."),
    "edges and newlines": ("  a cat\r\n sits\n", "A cat sits"),
    "other white space": ("a\u00a0cat\u2028on\u3000top", "A cat on top"),
    "control characters": ("a c\x00at\x07", "A cat"),
    "byte order mark": ("\ufeffa cat", "A cat"),
    "lone surrogate": ("a \ud83d cat", "A \ufffd cat"),
    "space before a stop": ("A man , a dog .", "A man, a dog."),
    "article twice": ("on a a foggy road", "On a foggy road"),
    "there is": ("there is a cat", "A cat"),
    "there are, capitals": ("THERE ARE TWO DOGS", "TWO DOGS"),
    "there's, curly": ("There’s also a dog.", "A dog."),
    "there is no": ("There is no dog.", "There is no dog."),
    "we can see": ("We can see a man", "A man"),
    "we are looking at": ("We are looking at a train", "A train"),
    "this is a picture of": ("This is a picture of a man", "A man"),
    "this is a": ("this is an old toilet", "An old toilet"),
    "it's a": ("It's a bird.", "A bird."),
    "close-up": ("A close up of a pizza", "A pizza"),
    "black and white": ("An old black and white photo of a boat", "A boat"),
    "the image shows": ("The image shows two cats", "Two cats"),
    "in this picture": ("In this picture, we can see a cow", "A cow"),
    "second sentence": ("A cat. There is a dog. It barks.", "A cat. A dog. It barks."),
    "openings on openings": ("There is a photo of a bus", "A bus"),
    "opening and nothing else": ("This is a picture of", "A picture of"),
    "a picture in the picture": ("A man taking a picture of a dog", "A man taking a picture of a dog"),
    "no English": ("一只猫坐在椅子上", "一只猫坐在椅子上"),
    "capital of two letters": ("ßx", "ßx"),
    "only white space": (" \n\t ", ""),
    "empty": ("", ""),
}


@pytest.mark.parametrize(("caption", "cleaned"), CASES.values(), ids=CASES.keys())
def test_named_case(caption: str, cleaned: str) -> None:
    assert clean_caption(caption) == cleaned


any_text = st.text(st.characters(exclude_categories=()))
pieces = st.lists(
    st.sampled_from(
        ["there is ", "a photo of ", "a ", "the ", "cat", ". ", ",", " ", "\n", "İ", "'", "in the image "]
    )
).map("".join)


@given(any_text | pieces)
def test_any_text_gives_one_tidy_line_and_stays_so(caption: str) -> None:
    cleaned = clean_caption(caption)
    cleaned.encode("utf-8")
    assert cleaned == " ".join(cleaned.split())
    assert clean_caption(cleaned) == cleaned

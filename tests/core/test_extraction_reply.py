"""A cleaned caption is still the caption that it was made of."""

import json

import pytest

from grounding_assets.core.annotation.extraction_reply import MIN_KEPT, kept_share, read_cleaned
from grounding_assets.core.errors import Reason, SampleFailure

STILL_IT = {
    "an opening taken away": ("In this photo we can see a brown horse.", "A brown horse."),
    "spelling put right": ("a whte dgo runing on the beech", "A white dog running on the beach."),
    "capitals": ("TWO WOMEN CYCLING", "Two women cycling."),
    "tags taken away": (
        "Look!!! #sunset #nofilter #blessed a bridge at night http://t.co/x",
        "A bridge at night.",
    ),
    "words glued": ("afirehydrant nexttothe road", "A fire hydrant next to the road."),
    "German": ("ein bild von zwei grosse Hunde im Schnee", "Zwei große Hunde im Schnee."),
    "Chinese": ("图中有一只白色的猫坐在沙发上", "一只白色的猫坐在沙发上。"),
    "Japanese": ("写真には赤い車と木があります", "赤い車と木。"),
    "Thai": ("ภาพของแมวสีดำบนโต๊ะ", "แมวสีดำบนโต๊ะ"),
    "Russian": ("на фото большая собака", "Большая собака."),
    "one word": ("cat", "A cat."),
    "no word at all": ("🐈🐈", "Two cats."),
    "untouched": ("A man in a hat.", "A man in a hat."),
}
ANOTHER = {
    "another caption": ("A man riding a horse on the beach.", "A bowl of soup stands on a wooden table."),
    "translated to English": (
        "Ein roter Wagen steht neben einem Baum.",
        "A red car is parked beside a tree.",
    ),
    "translated to Chinese": ("A red car is parked beside a tree.", "一辆红色的汽车停在树旁。"),
    "translated from Chinese": ("一只白色的猫坐在沙发上", "A white cat sits on a sofa."),
    "another Chinese caption": ("一只白色的猫坐在沙发上", "三个男孩在踢足球。"),
    "the prompt's words": ("Two boats at a pier.", "Caption cleaned as requested."),
}


@pytest.mark.parametrize("case", STILL_IT)
def test_cleaning_keeps_the_caption(case: str):
    assert kept_share(*STILL_IT[case]) >= MIN_KEPT


@pytest.mark.parametrize("case", ANOTHER)
def test_another_caption_is_a_failure(case: str):
    caption, cleaned = ANOTHER[case]
    reply = json.dumps({"cleaned_caption": cleaned, "expressions": []})
    with pytest.raises(SampleFailure, match="of the caption's words") as failure:
        read_cleaned(reply, caption, ended_for_length=False)
    assert failure.value.reason == Reason.UNPARSABLE


FOREIGN = {
    "in English for German": ("Ein roter Wagen an einem Baum.", ["a red car", "a tree"]),
    "other words": ("A man rides a horse.", ["the rider", "the animal"]),
    "ids": ("A man rides a horse.", ["e0", "e1"]),
    "parts of words": ("Two dogs run; a woman rides.", ["dog", "man"]),
}


@pytest.mark.parametrize("caption", FOREIGN)
def test_expressions_that_are_all_of_another_text_are_not_none(caption: str):
    text, phrases = FOREIGN[caption]
    reply = {"cleaned_caption": text, "expressions": [{"text": phrase} for phrase in phrases]}
    with pytest.raises(SampleFailure, match="None of the 2 expressions stands in") as failure:
        read_cleaned(json.dumps(reply), text, ended_for_length=False)
    assert failure.value.reason == Reason.UNPARSABLE


@pytest.mark.parametrize("phrases", [[], ["A RED car", "a wheel"], ["a  red car."]])
def test_one_expression_that_stands_there_is_enough(phrases: list[str]):
    reply = {"cleaned_caption": "A red car.", "expressions": [{"text": phrase} for phrase in phrases]}
    assert len(read_cleaned(json.dumps(reply), "a red car", ended_for_length=False).phrases) == len(phrases)


def test_long_captions_take_bounded_time():
    assert kept_share("lorem " * 3000, "ipsum dolor " * 1500) == 0

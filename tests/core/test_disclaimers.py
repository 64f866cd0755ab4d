"""A model that says that it did not look gave no answer; one that says that a thing is not there did."""

import json

import pytest

from grounding_assets.core.annotation.extraction_reply import read_cleaned
from grounding_assets.core.annotation.grounding_reply import read_part
from grounding_assets.core.boxes.coordinates import CONVENTIONS
from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.records import Expression
from grounding_assets.core.replies.disclaimers import disclaimer
from grounding_assets.core.replies.verdict import Verdict, parse_verdict
from tests.core.disclaimer_cases import DID_NOT_LOOK, LOOKED

UNDONE = (
    '"error": "quota exceeded"',
    '"errorMessage": "could not process"',
    '"success": false',
    '"status": "failed"',
    "I'm sorry, but I can't help with that.",
    "I cannot identify people in images.",
    "I am unable to process this request.",
)
"""Count beside lists without a box."""
NONE = '"expressions": [{"id": "e0", "boxes": []}, {"id": "e1", "boxes": []}]'
BOXES = '"expressions": [{"id": "e0", "boxes": [{"bbox_2d": [1, 2, 300, 400]}]}, {"id": "e1", "boxes": []}]'


def ground(reply, *texts):
    part = [Expression(text, (0, len(text)), text) for text in texts or ("two dogs", "a lighthouse")]
    return read_part(reply, part, CONVENTIONS["xyxy_1000"], ended_for_length=False)


@pytest.mark.parametrize("words", DID_NOT_LOOK)
def test_words_of_a_model_that_did_not_look(words):
    assert disclaimer(words, about=["two dogs"])


@pytest.mark.parametrize("words", LOOKED)
def test_words_of_a_model_that_looked(words):
    assert disclaimer(words, about=["two dogs"], says_none=True) is None


@pytest.mark.parametrize("words", UNDONE)
def test_an_error_or_a_refusal_counts_where_nothing_was_found(words):
    assert disclaimer(words, says_none=True)
    assert disclaimer(words) is None


@pytest.mark.parametrize(
    "reply",
    [
        f'{{{NONE}, "note": "image not received"}}',
        f'{{"image": "not received", {NONE}}}',
        f'{{{NONE}, "image_received": false}}',
        f'{{{NONE}, "meta": {{"remarks": ["The image appears to be blank."]}}}}',
        f'{{{NONE}, "error": "upstream timeout"}}',
        f'{{"reasoning": "No image was attached, so I return empty lists.", {NONE}}}',
        f"<think>There is no image here.</think>{{{NONE}}}",
        f"I don't see an image in your message, so here is an empty answer:\n```json\n{{{NONE}}}\n```",
        f"{{{NONE}}}\nPlease upload the image and I will try again.",
        f"I'm sorry, but I can't help with identifying people.\n{{{NONE}}}",
        f"I cannot see the image, but I would guess:\n{{{BOXES}}}",
        f'{{{BOXES}, "note": "image not available, typical layout assumed"}}',
        f'{{{NONE}, "note": "\\u672a\\u6536\\u5230\\u56fe\\u7247"}}',
    ],
)
def test_no_lists_count_beside_such_words(reply):
    with pytest.raises(SampleFailure, match="did not look at the image") as failure:
        ground(reply)
    assert failure.value.reason is Reason.UNPARSABLE


@pytest.mark.parametrize(
    "reply",
    [
        f"{{{NONE}}}",
        f"No dogs are visible in the image.\n{{{NONE}}}",
        f'{{{NONE}, "note": "neither is visible in the image"}}',
        f'{{{NONE}, "error": null, "image": "0001.jpg", "image_size": [640, 480]}}',
        f"{{{NONE}}}\nThe image does not contain a lighthouse.",
    ],
)
def test_nothing_seen_is_an_answer(reply):
    assert [m.mentioned for m in ground(reply).per_expression] == [True, True]


def test_a_doubt_that_was_overcome_is_no_disclaimer():
    reply = f"<think>I see no image. Wait, there it is.</think>{{{BOXES}}}"
    assert ground(reply).per_expression[0].boxes == ((1, 2, 300, 400),)


def test_a_word_that_was_asked_about_may_be_meant_by_it():
    reply = f'{{{NONE}, "note": "no picture found"}}'
    assert [m.mentioned for m in ground(reply, "the picture", "a lamp").per_expression] == [True, True]
    with pytest.raises(SampleFailure):
        ground(f'{{{NONE}, "note": "image not received"}}', "the picture", "a lamp")


def cleaned(text, **more):
    return json.dumps({"cleaned_caption": text, "expressions": [{"text": text, "noun_chunk": text}], **more})


def test_a_caption_made_up_without_the_image_is_refused():
    for reply in (cleaned("No image was provided."), cleaned("A dog.", note="image not received")):
        with pytest.raises(SampleFailure, match="did not look"):
            read_cleaned(reply, "", ended_for_length=False)
    caption = "A sign says image not available"
    assert read_cleaned(cleaned(caption), caption, ended_for_length=False).cleaned_caption == caption


def test_a_verdict_without_the_image_is_refused():
    assert parse_verdict('No dog is in the image.\n{"answer": "no"}') is Verdict.NO
    with pytest.raises(SampleFailure, match="did not look"):
        parse_verdict('I cannot see the image.\n{"answer": "no"}')

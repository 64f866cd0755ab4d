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

DID_NOT_LOOK = (
    "image not received",
    "Image was not received.",
    '"image": "not received"',
    '"image": null',
    '"image_received": false',
    '"has_image": false',
    '"imageProvided": false',
    '"no_image": true',
    '"image_missing": true',
    "No image was provided.",
    "No image",
    "no image attached to the request",
    "There is no image in your message.",
    "I don't see any image in your message.",
    "I do not see an image attached.",
    "I'm unable to view the image.",
    "I cannot see the image, so I return empty lists.",
    "I can't see images.",
    "I am a text-based AI and cannot view images",
    "As a text-only model, I cannot locate objects.",
    "I don't have access to the image.",
    "Please upload the image and I will try again.",
    "Could you please provide the image?",
    "If you share the image, I can help.",
    "The image appears to be blank.",
    "The image is completely black.",
    "The picture is entirely white.",
    "blank image",
    "Image failed to load.",
    "Failed to load image",
    "The image could not be loaded.",
    "The image couldn't be opened",
    "The attachment is missing.",
    "attachment missing",
    '"attachment": "missing"',
    "Missing image",
    '"image_status": "missing"',
    '"image_status": "not received"',
    '"status": "no image"',
    "Unfortunately, the image did not come through.",
    "The image didn't load.",
    "The image seems to be corrupted.",
    "corrupt image",
    "Without the image, I cannot determine the boxes.",
    "Without seeing the image I can only guess.",
    '"error": "no image data"',
    "I have no access to the image.",
    "I was not given access to the photo.",
    "It seems the image wasn't uploaded.",
    "It looks like you forgot to attach the image.",
    "It appears that the image has not been attached.",
    "The photo you mentioned was not attached",
    "The image you uploaded could not be processed.",
    "I haven't received the image.",
    "The model received no image.",
    "No picture received",
    "no photo was attached",
    "I can only process text.",
    "image unavailable",
    "image: unavailable",
    "Image input is not supported",
    "This model does not support image input.",
    "I did not receive an image",
    "Image not available",
    '"warning": "image was empty"',
    "The image is empty.",
    "No visual input was provided.",
    "visual content not available",
    "未收到图片",
    "没有看到图片",
    "我无法查看图片",
    "请上传图片",
    "图片是空白的",
    "图片未提供",
    "Kein Bild erhalten.",
    "Das Bild wurde nicht übermittelt.",
    "Ich kann das Bild nicht sehen",
    "Aucune image n'a été fournie.",
    "Je ne peux pas voir l'image.",
    "No se proporcionó ninguna imagen.",
    "No puedo ver la imagen.",
    "Assuming a typical layout, since the image was not included",
    "The image is not visible to me.",
    "The image isn't displayed.",
    "I see no image.",
    "I see only a blank canvas.",
    "I only see a gray rectangle instead of a photo.",
    "image_url could not be fetched",
    "The image URL is not accessible.",
    "Since there's no actual image, these are empty",
    "The provided image is a blank white canvas",
    "Image decoding failed",
    "image decode error",
    "Nothing was attached.",
    '"image_seen": "no"',
    '"visible": false, "reason": "image not loaded"',
)
LOOKED = (
    "No dogs are visible in the image.",
    "The image does not show any dogs.",
    "I cannot see any dogs in the image.",
    "I can't see the dogs in this image clearly.",
    "There are no dogs in the picture.",
    "The dogs are not visible in the provided image.",
    "The objects in the image are not visible.",
    "Nothing of the kind was found in the image.",
    "The image shows a street; no dogs were found.",
    "The image is black and white.",
    "The picture is not clear enough to see the dogs.",
    "No objects matching the expressions are present in the photo.",
    "None of these objects appear in the image.",
    "The image does not contain the requested objects.",
    "The image doesn't contain a lighthouse.",
    "I looked at the image carefully and none of the objects are there.",
    "In the image, the red car is missing.",
    "The red car is not visible in the image.",
    "The image is dark, and no dogs can be seen.",
    "The attached image shows a kitchen. No dogs.",
    "No instance found.",
    '"image": "photo.jpg"',
    '"image_size": [1000, 1000]',
    '"image_missing": false',
    '"image_received": true',
    '"image": "received"',
    '"image_id": null',
    '"error": null',
    '"error": ""',
    '"status": "ok"',
    "Here are the boxes for the image you provided.",
    "The image is empty of people.",
    "The picture has no frame",
    "The expressions were not found in the image.",
    "I am unable to find the dogs in the image.",
    "I could not find any of these in the photo.",
    "The image is missing dogs.",
    "A blank wall is visible in the image.",
    "The dog is missing from the image.",
    "These items are not shown in the image provided.",
    "There is no dog in the image provided.",
    "No lighthouse is visible in this image, so its list is empty.",
    "The image does not display any gulls.",
    "The lighthouse is not in the photo.",
    "I examined the picture; I cannot see a tree.",
    "Not found in image.",
    "not visible in image",
    '"note": "not present in image"',
    '"reason": "object not in image"',
    "图片中没有狗",
    "图中没有看到狗",
    "没有在图片中看到狗",
    "图片没有显示狗",
    "Im Bild ist kein Hund zu sehen.",
    "Auf dem Bild sind keine Hunde",
    "Aucun chien n'est visible dans l'image.",
    "No hay perros en la imagen.",
    "No se ven perros en la imagen.",
    "The image was provided and examined",
    "The image is available and has been analyzed; no match.",
    "Bounding boxes are in pixels of the image. Objects that are not visible get no box.",
    "The man is not visible because the image is cropped.",
    "The upper part of the image is completely black.",
    "The background of the photo is plain white.",
    "The rest of the image is blank.",
    "The right half of the picture is empty.",
    "Only part of the image is visible",
)
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

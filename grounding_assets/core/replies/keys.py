"""The words that models use for the parts of an answer. How the parts fit together is `entries`' business."""

import re
from collections.abc import Sequence
from typing import Literal

from grounding_assets.core.replies.boxes import EDGE_NAMES, as_number
from grounding_assets.core.replies.declared import Form, declared_forms
from grounding_assets.core.replies.json_values import JsonArray, JsonObject, JsonValue
from grounding_assets.core.replies.wording import word_set

Role = Literal["id", "label", "box", "score", "point", "edge", "form", "no_answer"]

_IDS = word_set("id expression_id")
_LABELS = word_set(
    "label labels name names text text_content expression phrase object class object_name class_name "
    "category caption description title ref referring_expression"
)
_LABEL_PREFIXES = ("label_", "name_")
_BOXES = word_set(
    "box boxes box_2d boxes_2d box2d bbox bboxes bbox_2d bboxes_2d bbox2d bbox_xyxy bounding_box "
    "bounding_boxes coordinates bndbox rect"
)
_COCO = word_set("iscrowd category_id")
"""Beside these a `bbox` is a corner and a size."""
_TURNS = word_set("angle rotation theta rotation_angle rotation_degrees")
_MOST_WORDS = 6
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z][a-z]|[A-Z]$)")
_SHAPES = word_set("polygon polygons segmentation mask masks contour contours vertices quad")
_ASIDE = re.compile(
    r"(?:rejected|discarded|excluded|ignored?|invalid|wrong|alternatives?|candidates?|previous|former|similar|other|not)(?:_|$)"
)
_CORRECTED = re.compile(r"(?:corrected|refined|revised|updated|adjusted|fixed|final)(?:_|$)")
_ACCEPTED = word_set("valid is_valid correct is_correct accepted keep")
_PRESENCE = re.compile(r"(?:is_)?(?:found|present|visible|detected|exists?|in_(?:the_)?image)")
_TRUTHS = {"true": True, "yes": True, "false": False, "no": False}
_WHOLE = word_set("complete completed success ok done final finished is_final is_complete stop")
_CUT = word_set("truncated is_truncated partial incomplete omitted remaining more has_more continued")
_ABOUT_IMAGE = re.compile(
    r"image|img|width|height|size|resolution|file|model|version|language|prompt|query|type|format|unit|scale|time|date"
)
"""Words in keys of what says nothing of how many things an answer should hold."""
_FORMS = word_set("format bbox_format box_format bbox_mode box_mode coordinate_format")
_NO_FORM = re.compile(r"json|2d|1000|pixel|absolute|relative|normali[sz]ed", re.IGNORECASE)
"""What stands under a key for a form and says nothing of the order."""
_NO_ANSWER = word_set(
    "reasoning reason rationale thought thoughts think thinking analysis scratchpad draft explanation "
    "chain_of_thought reflection arguments parameters tool_input action_input args kwargs"
)
"""Reasoning, and what a model asks of a tool."""
_ROLES: dict[str, Role] = {
    **dict.fromkeys(_NO_ANSWER, "no_answer"),
    **dict.fromkeys(word_set("score scores confidence confidences conf probability"), "score"),
    **dict.fromkeys(word_set("point points point_2d points_2d"), "point"),
    **dict.fromkeys(_FORMS, "form"),
}
"""Of words that have one role whatever stands under them."""
ENVELOPES = word_set(
    "expressions objects detections results result predictions annotations instances entities answer "
    "final_answer output response"
)
"""Keys that hold the answer and name nothing themselves."""


def normal(key: str) -> str:
    """A key in one spelling: `Box-2D` and `box 2d` are `box_2d`, and `boundingBox` is `bounding_box`."""
    return _HUMP.sub("_", key.strip()).lower().replace("-", "_").replace(" ", "_")


def role_of(key: str, value: JsonValue) -> Role | None:
    """What a pair of an object contributes to an entry; None if it is nested or of no interest."""
    word = normal(key)
    if word in _IDS and isinstance(value, str | int):
        return "id"
    if (word in _LABELS or word.startswith(_LABEL_PREFIXES)) and names_of(value):
        return "label"
    if word in _BOXES and (not isinstance(value, JsonObject) or _has_edges(value)):
        return "box"
    if word in EDGE_NAMES and not isinstance(value, JsonObject):
        return "edge"
    return _ROLES.get(word)


def form_of(pairs: Sequence[tuple[str, JsonValue]]) -> Form | None:
    """What an object says that the four numbers of a box are; None if it says nothing.

    A member is read as the words `key: value` would be. Of units only per cent are believed: models speak of pixels
    whatever they write.
    """
    forms: set[Form] = set()
    for key, value in pairs:
        word, role = normal(key), role_of(key, value)
        if word in _COCO:
            forms.add("xywh")
        elif word in _TURNS and as_number(value):
            forms.add("turned")
        elif role in (None, "box", "form"):
            words = _words_of(value)
            said = declared_forms(f"{word.replace('_', ' ')}: {words}")
            is_form = word in _FORMS and value is not None and not _NO_FORM.search(words)
            forms |= said or ({"unknown"} if is_form else set())
    return forms.pop() if len(forms) == 1 else "unknown" if forms else None


def _words_of(value: JsonValue) -> str:
    """A member's value as words: a text, a number, a short list of them; empty for all else."""
    parts = value.elements if isinstance(value, JsonArray) else [value]
    if len(parts) > _MOST_WORDS or any(isinstance(part, JsonArray | JsonObject) for part in parts):
        return ""
    return ", ".join(str(part) for part in parts)


def is_shape(key: str, value: JsonValue) -> bool:
    """Whether a pair gives an outline, which is no box but says that the thing is there."""
    given = value.elements if isinstance(value, JsonArray) else isinstance(value, JsonObject | str) and value
    return normal(key) in _SHAPES and bool(given)


def is_aside(key: str) -> bool:
    """Whether a key of an entry holds what the entry is not: `rejected`, `alternatives`."""
    return _ASIDE.match(normal(key)) is not None


def disowns(key: str, value: JsonValue) -> bool:
    """Whether a member says that the boxes beside it do not count: `"rejected": true`, or others that correct them."""
    word = normal(key)
    if _CORRECTED.match(word):
        return isinstance(value, JsonArray | JsonObject)
    return (value is False and word in _ACCEPTED) or (value is True and is_aside(key))


def presence_of(pairs: Sequence[tuple[str, JsonValue]]) -> bool | None:
    """Whether an object says that its thing is there, in so many words; None if it does not say."""
    said = {_TRUTHS.get(str(value).lower()) for key, value in pairs if _PRESENCE.fullmatch(normal(key))}
    return said.pop() if len(said) == 1 else None


def says_cut(key: str, value: JsonValue) -> bool:
    """Whether a member says that what stands beside it is not all: `"truncated": true`, `"complete": false`."""
    word, said = normal(key), _words_of(value).strip().lower()
    return said not in ("", "false", "none", "0") if word in _CUT else word in _WHOLE and value is False


def is_about_image(key: str) -> bool:
    """Whether a key beside an answer speaks of the image or of the answer's form, not of things: `image_size`."""
    return _ABOUT_IMAGE.search(normal(key)) is not None


def leaves_open(key: str, value: JsonValue, told: int) -> bool:
    """Whether a member beside an answer may say that the answer is not whole: `"truncated": true`, `"total": 12`.

    Args:
        told: how many things and boxes the answer holds.
    """
    word, said = normal(key), _words_of(value).strip().lower()
    if word in _WHOLE or said in _WHOLE:
        return value is False or said == "false"
    if said in ("", "false", "none", "0") or is_about_image(key):
        return False
    return not (isinstance(value, int) and value is not True and value <= told)


def names_of(value: JsonValue) -> list[str]:
    """The texts of a label, which may be nested: `{"zh": …, "en": …}` or `[…]`; empty if it is no label."""
    parts: list[JsonValue] = [value]
    if isinstance(value, JsonArray):
        parts = value.elements
    elif isinstance(value, JsonObject):
        parts = [part for _, part in value.pairs]
    texts = [part for part in parts if isinstance(part, str) and part.strip()]
    return texts if len(texts) == len(parts) else []


def _has_edges(value: JsonObject) -> bool:
    return any(normal(key) in EDGE_NAMES for key, _ in value.pairs)

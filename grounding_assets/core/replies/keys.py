"""The words that models use for the parts of an answer. How the parts fit together is `entries`' business."""

import re
from collections.abc import Sequence
from typing import Literal

from grounding_assets.core.replies.boxes import EDGE_NAMES
from grounding_assets.core.replies.json_values import JsonArray, JsonObject, JsonValue

Role = Literal["id", "label", "box", "score", "point", "edge", "form", "no_answer"]

_IDS = {"id", "expression_id"}
_LABELS = {
    *("label", "labels", "name", "names", "text", "text_content", "expression", "phrase", "object", "class"),
    *(
        "object_name",
        "class_name",
        "category",
        "caption",
        "description",
        "title",
        "ref",
        "referring_expression",
    ),
}
_LABEL_PREFIXES = ("label_", "name_")
_BOXES = {
    *("box", "boxes", "box_2d", "boxes_2d", "box2d", "bbox", "bboxes", "bbox_2d", "bboxes_2d", "bbox2d"),
    *("bbox_xyxy", "bounding_box", "bounding_boxes", "coordinates", "bndbox", "rect"),
}
_SCORES = {"score", "scores", "confidence", "confidences", "conf", "probability"}
_POINTS = {"point", "points", "point_2d", "points_2d"}
_COCO = {"iscrowd", "category_id"}
"""Beside these a `bbox` is a corner and a size."""
_UNITS = {"unit", "units", "scale", "coordinate_system", "coordinate_space", "coordinate_unit"}
_SHAPES = {"polygon", "polygons", "segmentation", "mask", "masks", "contour", "contours", "vertices", "quad"}
_ASIDE = re.compile(
    r"(?:rejected|discarded|excluded|ignored|alternatives?|candidates?|previous|former|similar|other|not)(?:_|$)"
)
_FORMS = {"format", "bbox_format", "box_format", "bbox_mode", "box_mode", "coordinate_format"}
_NO_ANSWER = {
    *(
        "reasoning",
        "reason",
        "rationale",
        "thought",
        "thoughts",
        "think",
        "thinking",
        "analysis",
        "scratchpad",
    ),
    *(
        "draft",
        "explanation",
        "chain_of_thought",
        "reflection",
        "arguments",
        "parameters",
        "tool_input",
        "action_input",
        "args",
        "kwargs",
    ),
}
"""Reasoning, and what a model asks of a tool."""
ENVELOPES = {
    *("expressions", "objects", "detections", "results", "result", "predictions", "annotations", "instances"),
    *("entities", "answer", "final_answer", "output", "response"),
}
"""Keys that hold the answer and name nothing themselves."""


def normal(key: str) -> str:
    """A key in one spelling: `Box-2D` and `box 2d` are `box_2d`."""
    return key.strip().lower().replace("-", "_").replace(" ", "_")


def role_of(key: str, value: JsonValue) -> Role | None:
    """What a pair of an object contributes to an entry; None if it is nested or of no interest."""
    word = normal(key)
    if word in _IDS and isinstance(value, str | int):
        return "id"
    if (word in _LABELS or word.startswith(_LABEL_PREFIXES)) and names_of(value):
        return "label"
    if word in _NO_ANSWER:
        return "no_answer"
    if word in _BOXES and (not isinstance(value, JsonObject) or _has_edges(value)):
        return "box"
    if word in _SCORES:
        return "score"
    if word in _POINTS:
        return "point"
    if word in EDGE_NAMES and not isinstance(value, JsonObject):
        return "edge"
    if word in _FORMS and isinstance(value, str | JsonArray):
        return "form"
    if word in _UNITS and isinstance(value, str):
        return "form"
    return None


def form_of(pairs: Sequence[tuple[str, JsonValue]]) -> str | None:
    """What an object says that the four numbers of a box are; None if it says nothing.

    Of units only per cent are believed: models speak of pixels whatever they write.
    """
    forms: list[str] = []
    for key, value in pairs:
        word = normal(key)
        if word in _COCO:
            forms.append("coco")
        elif word in _UNITS and isinstance(value, str) and ("percent" in value.lower() or "%" in value):
            forms.append("percent")
        elif word in _FORMS and (names := names_of(value)):
            forms.append(" ".join(names))
    return forms[-1] if forms else None


def is_shape(key: str, value: JsonValue) -> bool:
    """Whether a pair gives an outline, which is no box but says that the thing is there."""
    given = value.elements if isinstance(value, JsonArray) else isinstance(value, JsonObject | str) and value
    return normal(key) in _SHAPES and bool(given)


def is_aside(key: str) -> bool:
    """Whether a key of an entry holds what the entry is not: `rejected`, `alternatives`."""
    return _ASIDE.match(normal(key)) is not None


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

"""JSON schemas of replies, for endpoints that hold a model to one."""

from collections.abc import Mapping
from typing import Any


def grounding_schema(box_key: str) -> Mapping[str, Any]:
    """Step 1's reply schema. Coordinates are numbers: some models answer in fractions."""
    return _object(expressions=_array(_object(id={"type": "string"}, boxes=_boxes(box_key))))


def joint_schema(box_key: str) -> Mapping[str, Any]:
    """The reply schema of both steps in one."""
    text = {"type": "string"}
    entry = _object(id=text, text=text, noun_chunk=text, boxes=_boxes(box_key))
    return _object(cleaned_caption=text, expressions=_array(entry))


def _boxes(box_key: str) -> dict[str, Any]:
    box = {
        "type": "object",
        "properties": {
            box_key: {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4},
            "score": {"type": "number"},
        },
        "required": [box_key, "score"],
        "additionalProperties": False,
    }
    return _array(box)


def _array(items: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


EXTRACTION_SCHEMA: Mapping[str, Any] = _object(
    cleaned_caption={"type": "string"},
    expressions=_array(_object(text={"type": "string"}, noun_chunk={"type": "string"})),
)
"""Step 0's reply schema."""

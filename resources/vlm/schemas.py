"""JSON schemas of replies, for endpoints that hold a model to one."""

from collections.abc import Mapping
from typing import Any

EXTRACTION_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "cleaned_caption": {"type": "string"},
        "expressions": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"text": {"type": "string"}, "noun_chunk": {"type": "string"}},
                "required": ["text", "noun_chunk"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["cleaned_caption", "expressions"],
    "additionalProperties": False,
}


def grounding_schema(box_key: str) -> Mapping[str, Any]:
    """Step 1's reply schema. Coordinates are numbers: some models answer in fractions."""
    box = {
        "type": "object",
        "properties": {
            box_key: {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4},
            "score": {"type": "number"},
        },
        "required": [box_key, "score"],
        "additionalProperties": False,
    }
    entry = {
        "type": "object",
        "properties": {"id": {"type": "string"}, "boxes": {"type": "array", "items": box}},
        "required": ["id", "boxes"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"expressions": {"type": "array", "items": entry}},
        "required": ["expressions"],
        "additionalProperties": False,
    }

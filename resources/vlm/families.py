"""Model families: how each wants to be asked for boxes, and in which coordinates it answers.

The family is chosen by the model's name, never by the keys of a reply: Cosmos-Reason2 uses Gemini's
key with the other order. Sources of each row: docs/models.md.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from grounding_assets.core.images.image_policy import ImagePolicy

Structure = Literal["schema", "plain"]

_YXYX_1000 = 'Give boxes as [ymin, xmin, ymax, xmax], each a number from 0 to 1000 relative to the image\'s height and width, in the key "{key}".'
_XYXY_1000 = 'Give boxes as [x1, y1, x2, y2], each a number from 0 to 1000 relative to the image\'s width and height, in the key "{key}".'
_XYXY_999 = 'Give boxes as [x1, y1, x2, y2] in the key "{key}". Coordinates are integers from 0 to 999: x is 0 at the left edge and 999 at the right edge, y is 0 at the top edge and 999 at the bottom edge, whatever the image\'s size.'
_XYXY_PX = 'Give boxes as [x1, y1, x2, y2] in pixel coordinates of the image, which is {width} x {height} pixels, in the key "{key}".'
_XYXY_NORM = 'Give boxes as [x1, y1, x2, y2], each a number from 0 to 1 relative to the image\'s width and height, in the key "{key}".'


@dataclass(frozen=True, slots=True)
class Family:
    """What has to be known of a family to ask it for boxes and to read them."""

    name: str
    convention: str
    """Name in `core.boxes.coordinates`."""
    box_key: str
    contract: str
    """The wording of the coordinate contract; `{key}`, `{width}`, `{height}` are filled in."""
    model_pattern: str = ""
    """Regular expression searched in the lower-case model name."""
    structure: Structure = "schema"
    """Whether a reply schema helps; models that answer in special tokens are asked in plain text."""
    native: str = ""
    """Wording of the reply form of a special-token model, in place of the JSON form."""
    image: ImagePolicy = field(default_factory=ImagePolicy)
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Request fields that switch thinking off."""
    refusal: str = ""
    """Why this family cannot do step 1; empty where it can."""

    @property
    def box_form(self) -> str:
        return "[ymin, xmin, ymax, xmax]" if self.convention.startswith("yxyx") else "[x1, y1, x2, y2]"

    def coordinate_contract(self, sent_size: tuple[int, int]) -> str:
        return self.contract.format(key=self.box_key, width=sent_size[0], height=sent_size[1])


_QWEN_25_IMAGE = ImagePolicy(max_pixels=1280 * 28 * 28, multiple_of=28, min_side_px=56)
_QWEN_3_IMAGE = ImagePolicy(max_pixels=1280 * 32 * 32, multiple_of=32, min_side_px=64)
_NO_THINKING = {"chat_template_kwargs": {"enable_thinking": False}}

FAMILIES: tuple[Family, ...] = (
    Family("gemini", "yxyx_1000", "box_2d", _YXYX_1000, r"gemini"),
    Family(
        "qwen3_vl",
        "xyxy_1000",
        "bbox_2d",
        _XYXY_1000,
        r"qwen-?3(\.\d+)?(-|_)?(vl|omni)|qwen-?3\.5",
        image=_QWEN_3_IMAGE,
    ),
    Family("qwen2_5_vl", "xyxy_px_sent", "bbox_2d", _XYXY_PX, r"qwen-?2\.5-?(vl|omni)", image=_QWEN_25_IMAGE),
    Family("qwen2_vl", "xyxy_1000", "bbox_2d", _XYXY_1000, r"qwen-?2-?vl", image=_QWEN_25_IMAGE),
    Family(
        "internvl",
        "xyxy_1000",
        "bbox",
        _XYXY_1000,
        r"intern-?vl|internlm-xcomposer",
        structure="plain",
        native="Answer with one line for every expression, in the order given, and nothing else: "
        "<ref>text of the expression</ref><box>[[x1, y1, x2, y2], …]</box>, and <box>[]</box> where the image does not show it.",
    ),
    Family("cosmos_reason2", "xyxy_1000", "box_2d", _XYXY_1000, r"cosmos-?reason-?2", image=_QWEN_3_IMAGE),
    Family("cosmos_reason1", "xyxy_px_sent", "bbox_2d", _XYXY_PX, r"cosmos-?reason-?1", image=_QWEN_25_IMAGE),
    Family(
        "glm_v",
        "xyxy_1000",
        "bbox_2d",
        _XYXY_1000,
        r"glm-?(4(\.\d)?|5)v",
        structure="plain",
        extra=_NO_THINKING,
    ),
    Family("gemma", "yxyx_1000", "box_2d", _YXYX_1000, r"gemma|paligemma"),
    Family("gpt", "xyxy_999", "bbox", _XYXY_999, r"(^|/)(gpt-|o\d|chatgpt)"),
    Family(
        "claude",
        "xyxy_px_sent",
        "bbox",
        _XYXY_PX,
        r"claude",
        image=ImagePolicy(max_side_px=1568, max_pixels=1_150_000),
    ),
    Family(
        "deepseek_vl2",
        "xyxy_999",
        "bbox",
        _XYXY_999,
        r"deepseek-vl2?",
        structure="plain",
        native="Answer with one line for every expression, in the order given, and nothing else: "
        "<|ref|>text of the expression<|/ref|><|det|>[[x1, y1, x2, y2], …]<|/det|>, and <|det|>[]<|/det|> where the image does not show it.",
    ),
    Family("kimi_vl", "xyxy_norm", "bbox_2d", _XYXY_NORM, r"kimi-vl"),
    Family(
        "molmo",
        "xyxy_1000",
        "bbox",
        _XYXY_1000,
        r"molmo",
        structure="plain",
        refusal='Molmo answers with points, not boxes; use it for workflow.steps ["0"] only, and another model to ground.',
    ),
)

UNKNOWN = Family("unknown", "xyxy_1000", "bbox_2d", _XYXY_1000)
BY_NAME: Mapping[str, Family] = {family.name: family for family in (*FAMILIES, UNKNOWN)}


def family_of(model: str) -> Family:
    """The family that a model's name tells, else `UNKNOWN`."""
    name = model.lower()
    return next((family for family in FAMILIES if re.search(family.model_pattern, name)), UNKNOWN)


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

"""Model families: how each wants to be asked for boxes, and in which coordinates it answers. One table.

The family is chosen by the model's name, never by the keys of a reply: Cosmos-Reason2 uses Gemini's
key with the other order. Sources of each row: docs/models.md.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from grounding_assets.core.images.image_policy import ImagePolicy
from grounding_assets.core.steps import Step

Structure = Literal["schema", "plain"]

_CONTRACTS = {
    "yxyx_1000": 'Give boxes as [ymin, xmin, ymax, xmax], each a number from 0 to 1000 relative to the image\'s height and width, in the key "{key}".',
    "yxyx_1024": 'Give boxes as [ymin, xmin, ymax, xmax], each a number from 0 to 1023 relative to the image\'s height and width, in the key "{key}".',
    "xyxy_1000": 'Give boxes as [x1, y1, x2, y2], each a number from 0 to 1000 relative to the image\'s width and height, in the key "{key}".',
    "xyxy_999": 'Give boxes as [x1, y1, x2, y2] in the key "{key}". Coordinates are integers from 0 to 999: x is 0 at the left edge and 999 at the right edge, y is 0 at the top edge and 999 at the bottom edge, whatever the image\'s size.',
    "xyxy_100": 'Give boxes as [x1, y1, x2, y2], each a percentage from 0 to 100 of the image\'s width and height with one decimal, in the key "{key}".',
    "xyxy_px_sent": 'Give boxes as [x1, y1, x2, y2] in pixel coordinates of the image, which is {width} x {height} pixels, in the key "{key}".',
    "xyxy_norm": 'Give boxes as [x1, y1, x2, y2], each a number from 0 to 1 relative to the image\'s width and height, in the key "{key}".',
}
"""The wording of the coordinate contract by convention; `{key}`, `{width}`, `{height}` are filled in."""


@dataclass(frozen=True, slots=True)
class Family:
    """What has to be known of a family to ask it for boxes and to read them."""

    name: str
    pattern: str
    """Regular expression searched in the model's name as `plain_name` writes it."""
    convention: str
    """Name in `core.boxes.coordinates`."""
    box_key: str
    is_sure: bool = True
    """False if nobody who knows has said how it writes boxes: then it is read as it is measured."""
    structure: Structure = "schema"
    """Whether a reply schema helps; models that answer in special tokens are asked in plain text."""
    native: str = ""
    """Wording of the reply form of a special-token model, in place of the JSON form."""
    image: ImagePolicy = field(default_factory=ImagePolicy)
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Request fields that switch thinking off."""
    instructions_in_text: bool = False
    """Whether task and format belong into the user's text behind the image, not into the system's message."""
    refusal: str = ""
    """Why this family cannot do step 1, `{section}` being that of the spec; empty if it can."""
    sees: bool = True
    """False for a model that takes no pictures, and so can do no step."""

    def why_not(self, steps: Sequence[Step], section: str) -> str:
        """Why it cannot do these steps; empty if it can. `section` of the spec is named."""
        return self.refusal.format(section=section) if not self.sees or Step.GROUNDING in steps else ""

    @property
    def box_form(self) -> str:
        return "[ymin, xmin, ymax, xmax]" if self.convention.startswith("yxyx") else "[x1, y1, x2, y2]"

    def coordinate_contract(self, sent_size: tuple[int, int]) -> str:
        contract = _CONTRACTS.get(self.convention, _CONTRACTS["xyxy_1000"])
        return contract.format(key=self.box_key, width=sent_size[0], height=sent_size[1])


def _lines(box: str, none: str) -> str:
    """Wording of a form with one line for each expression."""
    return (
        f"Answer with one line for every expression, in the order given, and nothing else: {box}, "
        f"and {none} where the image does not show it."
    )


_QWEN_25 = ImagePolicy(max_pixels=1280 * 28 * 28, multiple_of=28, min_side_px=56)
_QWEN_3 = ImagePolicy(max_pixels=1280 * 32 * 32, multiple_of=32, min_side_px=64)
_CLAUDE = ImagePolicy(max_side_px=1568, max_pixels=1_150_000)
_GPT_5 = ImagePolicy(max_side_px=2048, max_pixels=1_500_000)
_GPT_4 = ImagePolicy(max_side_px=2048, max_short_side_px=768, max_pixels=1_500_000)
_NO_THINKING = {"chat_template_kwargs": {"enable_thinking": False}}
_INTERNVL = _lines("<ref>text of the expression</ref><box>[[x1, y1, x2, y2], …]</box>", "<box>[]</box>")
_DEEPSEEK = _lines(
    "<|ref|>text of the expression<|/ref|><|det|>[[x1, y1, x2, y2], …]<|/det|>", "<|det|>[]<|/det|>"
)
_MINICPM = _lines(
    "<ref>text of the expression</ref><box>x1 y1 x2 y2</box>, one <box> for each object", "no <box>"
)
_SEED = _lines("text of the expression: <bbox>x1 y1 x2 y2</bbox>, one <bbox> for each object", "none")
_LABEL_FIRST = _lines("text of the expression: [[x1, y1, x2, y2], …]", "[]")
_MOLMO_2 = _lines(
    '<boxes coords="1 1 x1 y1 x2 y2 2 x1 y1 x2 y2 …">text of the expression</boxes>, numbered from 0 to 1000',
    "no tag",
)
_POINTS = (
    'Molmo answers with points, not boxes; use it for workflow.steps ["0"] only, and another model to ground.'
)
_BLIND = "This is the name of a text model, which takes no pictures. Name a vision-language model, or set {section}.family if the name misleads."

TEXT_ONLY = Family(
    "text_only",
    r"gpt-oss|gpt-3-5|(^|/)gpt-4($|-\d{4})|(^|/)o[13]-mini|deepseek-(r1|v\d|chat|coder|llm|reasoner)"
    r"|llama-?(2|3(-[13])?)-\d+b(?!.*(vision|vl))|llama-?3-2-[13]b(?!.*vision)|qwq|qwen-?(2(-5)?|3)-(\d+(-\d)?b|coder|math|max|next)(?!.*(vl|omni))"
    r"|mistral-(7b|nemo)|mixtral|codestral|phi-(3|3-5|4)-mini|phi-4($|-reasoning)|kimi-k2($|-(instruct|thinking|\d{4}))"
    r"|nova-(micro|sonic)|(?<!pali)gemma-?(2|7b|1-1)-|gemma-?3-(1b|270m)|seed-oss|command-r",
    "xyxy_1000",
    "bbox",
    refusal=_BLIND,
    sees=False,
)

FAMILIES: tuple[Family, ...] = (
    TEXT_ONLY,
    Family("gemini", r"gemini", "yxyx_1000", "box_2d"),
    Family("nova", r"nova-(2-)?(lite|pro|premier|omni)", "xyxy_1000", "bbox", instructions_in_text=True),
    Family("cosmos_reason2", r"cosmos-?reason-?2", "xyxy_1000", "box_2d", image=_QWEN_3),
    Family("cosmos_reason1", r"cosmos-?reason-?1", "xyxy_px_sent", "bbox_2d", image=_QWEN_25),
    Family("qwen3_vl", r"qwen-?3(-\d)?-?(vl|omni)|qwen-?3-([5-9])($|-)", "xyxy_1000", "bbox_2d", image=_QWEN_3),
    Family("qwen2_5_vl", r"qwen-?2-5-?(vl|omni)", "xyxy_px_sent", "bbox_2d", image=_QWEN_25),
    Family(
        "qwen2_5_descendant",
        r"qwen-vl-(max|plus)|ui-tars|mimo-vl|holo-?1(-|$)|olmocr",
        "xyxy_px_sent",
        "bbox_2d",
        is_sure=False,
        image=_QWEN_25,
    ),
    Family("qwen2_vl", r"qwen-?2-?vl", "xyxy_1000", "bbox_2d", image=_QWEN_25),
    Family("internvl", r"intern-?vl|internlm-xcomposer", "xyxy_1000", "bbox", structure="plain", native=_INTERNVL),
    Family("ernie_vl", r"ernie-?4-5(-turbo)?-vl", "xyxy_1000", "bbox", structure="plain", native=_LABEL_FIRST),
    Family("glm_v", r"glm-?(4-\d|5(-\d)?)v", "xyxy_1000", "bbox_2d", structure="plain", extra=_NO_THINKING),
    Family("minicpm_v", r"minicpm-?(v|o)(-|\d|$)", "xyxy_1000", "bbox", structure="plain", native=_MINICPM),
    Family("seed", r"doubao.*(vision|seed|vl)|(^|/)(bytedance-)?seed-?1-[5-9]", "xyxy_999", "bbox", False, "plain", _SEED),
    Family("rex_omni", r"rex-?omni", "xyxy_999", "bbox", structure="plain"),
    Family("locate_anything", r"locate-?anything", "xyxy_1000", "bbox", structure="plain"),
    Family("youtu_vl", r"youtu-vl", "xyxy_px_sent", "bbox", is_sure=False, structure="plain"),
    Family("deepseek_vl2", r"deepseek-(vl-?2(-|$)|ocr)", "xyxy_999", "bbox", structure="plain", native=_DEEPSEEK),
    Family("hunyuan_ocr", r"hunyuan-?ocr", "xyxy_1000", "bbox", structure="plain"),
    Family("paligemma", r"paligemma", "yxyx_1024", "box_2d", is_sure=False, structure="plain"),
    Family("gemma", r"gemma", "yxyx_1000", "box_2d"),
    Family("gpt_5_2", r"gpt-5-([2-9])(-|$)", "xyxy_px_sent", "bbox", is_sure=False, image=_GPT_5),
    Family("gpt_5", r"gpt-5", "xyxy_norm", "bbox", is_sure=False),
    Family("gpt_4o", r"gpt-4(o|-1|-turbo)|chatgpt", "xyxy_px_sent", "bbox", is_sure=False, structure="plain", image=_GPT_4),
    Family("claude", r"claude", "xyxy_px_sent", "bbox", image=_CLAUDE),
    Family("grok", r"(^|/|-)grok", "xyxy_100", "box_2d", is_sure=False),
    Family("muse", r"(^|/)muse-", "xyxy_1000", "bbox", is_sure=False),
    Family("kimi_vl", r"kimi-vl", "xyxy_norm", "bbox_2d", is_sure=False),
    Family("cogvlm", r"cogvlm", "xyxy_1000", "bbox", is_sure=False, structure="plain"),
    Family("molmo2", r"molmo(act)?-?2", "xyxy_1000", "bbox", is_sure=False, structure="plain", native=_MOLMO_2),
    Family("molmo", r"molmo", "xyxy_1000", "bbox", structure="plain", refusal=_POINTS),
)  # fmt: skip
"""The first row whose pattern fits is taken, so the order matters."""

UNKNOWN = Family("unknown", "", "xyxy_1000", "bbox_2d", is_sure=False)
BY_NAME: Mapping[str, Family] = {family.name: family for family in (*FAMILIES, UNKNOWN)}


def family_called(name: str, model: str) -> Family:
    """The family of that name; `auto` is the one that the model's name tells, `gpt` its generation of GPT."""
    told = family_of(model)
    if name == "auto":
        return told
    if name == "gpt":
        return told if told.name.startswith("gpt_") else BY_NAME["gpt_5_2"]
    return BY_NAME[name]


def plain_name(model: str) -> str:
    """A model's name in lower case with `-` for every separator, without tags that tell nothing; `/` stays.

    >>> plain_name("us.amazon.Nova-Lite-v1:0"), plain_name("models/Qwen2_5 VL-7B:free")
    ('us-amazon-nova-lite-v1', 'qwen2-5-vl-7b')
    """
    name = re.sub(r":(latest|free|extended|nitro|\d)$", "", model.strip().lower())
    return re.sub(r"[._: ]+", "-", name.removeprefix("models/"))


def family_of(model: str) -> Family:
    """The family that a model's name tells, else `UNKNOWN`."""
    name = plain_name(model)
    return next((family for family in FAMILIES if re.search(family.pattern, name)), UNKNOWN)

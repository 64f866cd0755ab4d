"""How each model family writes boxes: order, frame, key and native form.

The facts are those of the families' makers where known: Gemini y-first on 0-1000; Qwen2.5-VL in pixels after
its own smart resize; Claude in pixels of the image it sees; InternVL, DeepSeek-VL2 and GLM-V in their special
tokens. Not here: which boxes are right, and how a reply travels.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tests.endpoints.shapes import Box

Size = tuple[int, int]
"""(width, height) in pixels."""
Frame = Callable[[Size], tuple[float, float]]
"""What the right and the bottom edge of a received image are called."""

QWEN_MAX_PIXELS = 1280 * 28 * 28
QWEN_MIN_PIXELS = 4 * 28 * 28
CLAUDE_LONGER_EDGE = 1568


def smart_resize(size: Size, factor: int = 28, maximum: int = QWEN_MAX_PIXELS) -> Size:
    """The size that Qwen2.5-VL really sees (qwen-vl-utils): multiples of the factor, under a pixel cap.

    Raises ValueError for an aspect ratio above 200 and for an edge below the factor, which crashes servers.
    """
    width, height = size
    if max(size) / min(size) > 200:
        raise ValueError(f"absolute aspect ratio must be smaller than 200, got {max(size) / min(size):.0f}")
    if min(size) < factor:
        raise ValueError(f"height:{height} and width:{width} must be larger than factor:{factor}")
    w, h = (max(factor, round(edge / factor) * factor) for edge in size)
    if w * h > maximum:
        beta = math.sqrt(width * height / maximum)
        w, h = (math.floor(edge / beta / factor) * factor for edge in size)
    elif w * h < QWEN_MIN_PIXELS:
        beta = math.sqrt(QWEN_MIN_PIXELS / (width * height))
        w, h = (math.ceil(edge * beta / factor) * factor for edge in size)
    return w, h


def qwen_pixels(maximum: int = QWEN_MAX_PIXELS) -> Frame:
    return lambda size: smart_resize(size, 28, maximum)


def claude_pixels(size: Size) -> tuple[float, float]:
    shrink = min(1.0, CLAUDE_LONGER_EDGE / max(size))
    return round(size[0] * shrink), round(size[1] * shrink)


def grid(edge: float) -> Frame:
    return lambda size: (edge, edge)


GRID_1000 = grid(1000)


@dataclass(frozen=True, slots=True)
class Family:
    """One way to write boxes. Build another for a model that is not in `FAMILIES`."""

    name: str
    served_as: str
    """A model name of this family as endpoints list it."""
    frame: Frame = GRID_1000
    key: str = "bbox_2d"
    order: Literal["xyxy", "yxyx"] = "xyxy"
    digits: int | None = None
    """Decimals of a coordinate; None for integers."""
    native: Literal["json", "internvl", "deepseek", "glm", "points"] = "json"
    fences: bool = False
    """Puts free-form JSON into a Markdown fence, unless told otherwise."""
    thinks: bool = False

    def coordinates(self, box: Box, size: Size) -> list[float]:
        """The box as this family writes it for a received image of that size."""
        right, bottom = self.frame(size)
        x1, y1, x2, y2 = (
            round(edge * full, self.digits)
            for edge, full in zip(box, (right, bottom, right, bottom), strict=True)
        )
        return [x1, y1, x2, y2] if self.order == "xyxy" else [y1, x1, y2, x2]


_TABLE = (
    Family("gemini", "gemini-3.1-flash-lite-preview", key="box_2d", order="yxyx", fences=True),
    Family("qwen2_vl", "Qwen/Qwen2-VL-7B-Instruct"),
    Family("qwen2_5_vl", "Qwen/Qwen2.5-VL-7B-Instruct", frame=qwen_pixels(), fences=True),
    Family("qwen3_vl", "Qwen/Qwen3-VL-8B-Instruct", fences=True),
    Family("internvl", "OpenGVLab/InternVL3-8B", native="internvl"),
    Family("cosmos_reason1", "nvidia/Cosmos-Reason1-7B", frame=qwen_pixels()),
    Family("cosmos_reason2", "nvidia/Cosmos-Reason2-8B", key="box_2d"),
    Family("glm_v", "zai-org/GLM-4.5V", native="glm", thinks=True),
    Family("gemma", "google/gemma-3-27b-it", key="box_2d", order="yxyx", fences=True),
    Family("gpt", "gpt-5.4", frame=grid(999)),
    Family("claude", "claude-sonnet-4-5", frame=claude_pixels, fences=True),
    Family("deepseek_vl2", "deepseek-ai/deepseek-vl2", frame=grid(999), native="deepseek"),
    Family("kimi_vl", "moonshotai/Kimi-VL-A3B-Instruct", frame=grid(1), digits=3),
    Family("molmo", "allenai/Molmo-7B-D-0924", frame=grid(100), digits=1, native="points"),
    Family("random", "example/answers-at-random"),
    Family("empty", "example/sees-nothing"),
)
FAMILIES: Mapping[str, Family] = {family.name: family for family in _TABLE}


@dataclass(frozen=True, slots=True)
class Answer:
    """One expression's boxes, already in the family's coordinates, with a score each or none at all."""

    expression_id: str
    text: str
    boxes: Sequence[Sequence[float]]
    scores: Sequence[float] | None = None


def write_json(answers: Sequence[Answer], key: str) -> str:
    """The reply object of the prompt contract, one entry per expression."""

    def entry(box: Sequence[float], score: float | None) -> dict[str, Any]:
        return {key: list(box)} if score is None else {key: list(box), "score": score}

    rows = [
        {
            "id": answer.expression_id,
            "boxes": [
                entry(box, answer.scores[i] if answer.scores else None) for i, box in enumerate(answer.boxes)
            ],
        }
        for answer in answers
    ]
    return json.dumps({"expressions": rows}, ensure_ascii=False)


def write_native(family: Family, answers: Sequence[Answer], *, by_id: bool = False) -> str:
    """The reply in the family's own form; `by_id` refers to expressions by id instead of by their text."""

    def label(answer: Answer) -> str:
        return answer.expression_id if by_id else answer.text

    match family.native:
        case "internvl":
            return "\n".join(f"<ref>{label(a)}</ref><box>{json.dumps(a.boxes)}</box>" for a in answers)
        case "deepseek":
            return "".join(f"<|ref|>{label(a)}<|/ref|><|det|>{json.dumps(a.boxes)}<|/det|>" for a in answers)
        case "glm":
            return f"<|begin_of_box|>{write_json(answers, family.key)}<|end_of_box|>"
        case "points":
            return "\n".join(_point(label(a), a.boxes) for a in answers if a.boxes)
        case "json":
            return write_json(answers, family.key)


def _point(label: str, boxes: Sequence[Sequence[float]]) -> str:
    at = " ".join(
        f'x{i}="{(x1 + x2) / 2:.1f}" y{i}="{(y1 + y2) / 2:.1f}"'
        for i, (x1, y1, x2, y2) in enumerate(boxes, start=1)
    )
    return f'<points {at} alt="{label}">{label}</points>'

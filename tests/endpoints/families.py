"""How each model family writes boxes: order, frame, key and native form.

The facts are those of the families' makers where known: Gemini y-first on 0-1000; Qwen2.5-VL in pixels after
its own smart resize; Claude in pixels of the image it sees; InternVL, DeepSeek-VL2 and GLM-V in their special
tokens. Not here: which boxes are right, how a reply travels (`wire.py`), how a model writes that does not obey
(`forms.py`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tests.endpoints.frames import GRID_1000, Frame, Passed, claude_pixels, grid, own_pixels, qwen_pixels
from tests.endpoints.shapes import Box


@dataclass(frozen=True, slots=True)
class Family:
    """One way to write boxes. Build another for a model that is not in `FAMILIES`."""

    name: str
    served_as: str
    """A model name of this family as endpoints list it."""
    frame: Frame = GRID_1000
    key: str = "bbox_2d"
    order: Literal["xyxy", "yxyx", "xywh"] = "xyxy"
    digits: int | None = None
    """Decimals of a coordinate; None for integers."""
    native: Literal["json", "internvl", "deepseek", "glm", "points"] = "json"
    fences: bool = False
    """Puts free-form JSON into a Markdown fence, unless told otherwise."""
    thinks: bool = False

    highest: float | None = None
    """Coordinates above this are written as this: a grid of 1000 places ends at 999."""

    def coordinates(self, box: Box, passed: Passed) -> list[float]:
        """The box as this family writes it for a picture that its server passed on."""
        right, bottom = self.frame(passed.size)
        left_edge, top_edge, right_edge, bottom_edge = passed.edges
        across, down = right / passed.size[0], bottom / passed.size[1]
        wide, high = right_edge - left_edge, bottom_edge - top_edge
        x1, x2 = ((left_edge + share * wide) * across for share in (box[0], box[2]))
        y1, y2 = ((top_edge + share * high) * down for share in (box[1], box[3]))
        x1, y1, x2, y2 = (round(self._limited(edge), self.digits) for edge in (x1, y1, x2, y2))
        match self.order:
            case "xyxy":
                return [x1, y1, x2, y2]
            case "yxyx":
                return [y1, x1, y2, x2]
            case "xywh":
                return [x1, y1, round(x2 - x1, self.digits), round(y2 - y1, self.digits)]

    def _limited(self, edge: float) -> float:
        return edge if self.highest is None else min(edge, self.highest)


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
    Family("pixels", "example/pixels-of-its-picture", frame=own_pixels),
    Family("grid_999", "example/grid-999", frame=grid(999)),
    Family("grid_1024", "example/grid-1024", frame=grid(1024), highest=1023),
    Family("per_mille", "example/per-mille", highest=999),
    Family("percent", "example/percent", frame=grid(100), digits=1),
    Family("fractions", "example/fractions", frame=grid(1), digits=3),
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

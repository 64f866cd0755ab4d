"""What several native forms share: how a box, a list of boxes, or a line for each expression is spelled."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from tests.endpoints.families import Answer

Boxes = Sequence[Sequence[float]]


def present(answers: Sequence[Answer]) -> list[Answer]:
    return [answer for answer in answers if answer.boxes]


def dumped(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def each(answers: Sequence[Answer], line: Callable[[Answer], str], between: str = "\n") -> str:
    return between.join(line(answer) for answer in present(answers))


def spaced(box: Sequence[float]) -> str:
    return " ".join(f"{edge:g}" for edge in box)


def youtu_box(box: Sequence[float]) -> str:
    x1, y1, x2, y2 = box
    return f"<box><x_{x1:g}><y_{y1:g}><x_{x2:g}><y_{y2:g}></box>"

"""Replies to step 1 that do not obey, each with the outcome it must have.

Boxes in the replies are x-first on a 0-1000 grid of a picture of 1000 x 1000 pixels, so a box that
is read comes out with the numbers it was written with. The outcomes were decided by reading the
replies, before the parser was run on them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Boxes = dict[str, list[list[int]]]

ASKED = {"e0": "the white boat", "e1": "a lighthouse", "e2": "three gulls"}
BOAT = [120, 210, 340, 430]
LIGHT = [500, 90, 590, 610]
GULL_1, GULL_2, GULL_3 = [10, 20, 60, 70], [200, 15, 260, 80], [700, 30, 780, 95]
GULLS = [GULL_1, GULL_2, GULL_3]
RIGHT: Boxes = {"e0": [BOAT], "e1": [LIGHT], "e2": GULLS}
ONE = {"e0": "the white boat"}
ONE_RIGHT: Boxes = {"e0": [BOAT]}

FAILS = "fails"
"""No result: asked again, then `unparsable`."""
CUT = "truncated"
"""No result: asked again with more room."""


@dataclass(frozen=True)
class Case:
    """One reply, what it answers, and every outcome that is right."""

    name: str
    reply: str
    outcomes: tuple[Boxes | str, ...]
    asked: Mapping[str, str] = field(default_factory=lambda: ASKED)
    ended_for_length: bool = False


class Cases(list[Case]):
    """A table of cases."""

    def add(self, name: str, reply: object, *outcomes: Boxes | str, **more: Any) -> None:
        text = reply if isinstance(reply, str) else json.dumps(reply, ensure_ascii=False)
        self.append(Case(name, text, outcomes, **more))


def envelope(*entries: object) -> str:
    return json.dumps({"expressions": list(entries)}, ensure_ascii=False)


def by_id(expression_id: object, *boxes: object, **more: object) -> dict[str, object]:
    return {"id": expression_id, "boxes": [{"bbox_2d": box, "score": 0.9} for box in boxes], **more}


def by_label(label: object, box: object, **more: object) -> dict[str, object]:
    return {"label": label, "bbox_2d": box, **more}


def labelled(boat: str, light: str, *gulls: str) -> str:
    """The list that many models answer with, under these labels."""
    pairs = [(boat, BOAT), (light, LIGHT), *zip(gulls, GULLS, strict=True)]
    return json.dumps([by_label(label, box) for label, box in pairs], ensure_ascii=False)


def identified(*ids: object) -> str:
    return envelope(*(by_id(i, *boxes) for i, boxes in zip(ids, RIGHT.values(), strict=True)))


FINAL = identified("e0", "e1", "e2")
DRAFT = envelope(by_id("e0", [1, 2, 30, 40]), by_id("e1", [5, 6, 70, 80]), by_id("e2", [9, 9, 33, 33]))
E0, E1, E2 = (json.dumps(by_id(expression, *boxes)) for expression, boxes in RIGHT.items())
THREE = ("three gulls",) * 3


def reads(name: str, reply: str, boxes: Boxes | None = None, **more: object) -> Case:
    return Case(name, reply, (RIGHT if boxes is None else boxes,), **more)  # type: ignore[arg-type]


def fails(name: str, reply: str, **more: object) -> Case:
    return Case(name, reply, (FAILS,), **more)  # type: ignore[arg-type]


def cut(name: str, reply: str, **more: object) -> Case:
    return Case(name, reply, (CUT,), **more)  # type: ignore[arg-type]


def reads_or_fails(name: str, reply: str, boxes: Boxes | None = None, **more: object) -> Case:
    return Case(name, reply, (RIGHT if boxes is None else boxes, FAILS), **more)  # type: ignore[arg-type]


def with_boat(box: object) -> str:
    """The obedient reply, but for the boat's box."""
    return envelope(by_id("e0", box), by_id("e1", LIGHT), by_id("e2", *GULLS))


def spaced(box: list[int]) -> str:
    return " ".join(map(str, box))


def tokens(box: list[int]) -> str:
    return "".join(f"<{value}>" for value in box)


def corners(box: list[int]) -> str:
    return f"({box[0]},{box[1]}),({box[2]},{box[3]})"

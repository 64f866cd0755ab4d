"""Which coordinates a model answers in, found out by asking it about pictures whose boxes are known.

A calibration card is a synthetic picture with coloured shapes at asymmetric places on a canvas that
is far from square: there, the conventions disagree about every box. Sending the cards and reading
the replies is done elsewhere; here they are drawn, and replies are judged.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from grounding_assets.core.boxes.coordinates import CONVENTIONS, RawBox, decode
from grounding_assets.core.boxes.geometry import iou_xyxy
from grounding_assets.core.records import PixelBox

_LONG_PX, _SHORT_PX = 1344, 672
"""Multiples of 28 and of 32, under the smaller of the usual caps (1280 tokens of 28 x 28 pixels), so
that no server of the Qwen family resizes the card."""

CANDIDATES = ("yxyx_1000", "xyxy_1000", "xyxy_999", "xyxy_px_sent", "yxyx_px_sent", "xyxy_norm", "yxyx_norm")
"""The conventions of chat models; the others of `coordinates` belong to models that speak no chat."""

MIN_IOU = 0.5
"""A convention must explain the boxes at least this well on average …"""
MIN_LEAD = 0.15
"""… and this much better than every other that is not practically the same."""
_SAME_WITHIN = 0.02
"""Conventions that put the far edge within this share of a side are practically the same (999 and 1000)."""


@dataclass(frozen=True, slots=True)
class Shape:
    phrase: str
    box: PixelBox
    """`xyxy` pixels."""


@dataclass(frozen=True, slots=True)
class Card:
    """A picture, its caption and what is where."""

    png: bytes
    size: tuple[int, int]
    caption: str
    shapes: tuple[Shape, ...]


# (colour, shape, x, y, width, height) in shares of the sides; no two overlap, none mirrors another
_LAYOUTS = (
    (
        ("red", "rectangle", 0.05, 0.55, 0.13, 0.30),
        ("blue", "ellipse", 0.62, 0.08, 0.22, 0.24),
        ("green", "rectangle", 0.73, 0.62, 0.19, 0.33),
        ("orange", "rectangle", 0.28, 0.14, 0.16, 0.21),
    ),
    (
        ("purple", "rectangle", 0.58, 0.05, 0.34, 0.11),
        ("green", "ellipse", 0.08, 0.20, 0.27, 0.16),
        ("red", "rectangle", 0.45, 0.71, 0.47, 0.13),
        ("blue", "rectangle", 0.10, 0.52, 0.21, 0.18),
    ),
)
_SIZES = ((_LONG_PX, _SHORT_PX), (_SHORT_PX, _LONG_PX))
_COLOURS = {
    "red": (255, 0, 0),
    "blue": (0, 0, 255),
    "green": (0, 128, 0),
    "orange": (255, 165, 0),
    "purple": (128, 0, 128),
}


def calibration_cards() -> tuple[Card, ...]:
    """Two cards, one wide and one tall, always the same."""
    return tuple(_draw(size, layout) for size, layout in zip(_SIZES, _LAYOUTS, strict=True))


def _draw(size: tuple[int, int], layout: Sequence[tuple[str, str, float, float, float, float]]) -> Card:
    width, height = size
    picture = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(picture)
    shapes = []
    for colour, form, x, y, w, h in layout:
        box = (round(x * width), round(y * height), round((x + w) * width), round((y + h) * height))
        # Pillow's far corner belongs to the shape, ours does not
        corners = (box[0], box[1], box[2] - 1, box[3] - 1)
        (pen.ellipse if form == "ellipse" else pen.rectangle)(corners, fill=_COLOURS[colour])
        shapes.append(Shape(f"the {colour} {form}", box))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    names = [shape.phrase for shape in shapes]
    caption = f"A white picture with {', '.join(names[:-1])} and {names[-1]}."
    return Card(buffer.getvalue(), size, caption, tuple(shapes))


@dataclass(frozen=True, slots=True)
class CardReply:
    """What the model said of one card: the boxes of each shape, as it wrote them."""

    card: Card
    boxes: tuple[tuple[RawBox, ...], ...]
    """One tuple per shape, in order; empty where the model gave none."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How well each convention explains the replies, and which one does, if any."""

    iou: dict[str, float]
    """Mean IoU over all shapes by convention, 0.0 to 1.0, best first; a shape without a box counts as 0."""
    convention: str | None
    """The one that explains them, or None where none does clearly."""
    reason: str
    """In words, for the user."""


def judge(replies: Sequence[CardReply], expected: str | None = None) -> Verdict:
    """Decodes the replies under every candidate convention and chooses, or refuses to.

    `expected` is the convention of the configured family: it is named where it is practically the
    same as the best one.
    """
    fits = {name: _fit(replies, name) for name in CANDIDATES}
    ranked = dict(sorted(fits.items(), key=lambda fit: -fit[1]))
    best = next(iter(ranked))
    answered = sum(bool(boxes) for reply in replies for boxes in reply.boxes)
    total = sum(len(reply.boxes) for reply in replies)
    if not answered:
        return Verdict(
            ranked, None, f"the model gave no box for any of {total} shapes that are plainly there"
        )
    if ranked[best] < MIN_IOU:
        return Verdict(
            ranked,
            None,
            f"no convention explains the boxes: {best} is best with a mean IoU of {ranked[best]:.2f}",
        )
    kin = {name for name in CANDIDATES if _practically_same(name, best)}
    rival = next((name for name in ranked if name not in kin), None)
    if rival is not None and ranked[best] - ranked[rival] < MIN_LEAD:
        return Verdict(
            ranked,
            None,
            f"{best} ({ranked[best]:.2f}) and {rival} ({ranked[rival]:.2f}) fit about equally well",
        )
    chosen = expected if expected in kin else best
    if expected not in kin and "xyxy_1000" in kin:
        chosen = "xyxy_1000"
    return Verdict(
        ranked,
        chosen,
        f"mean IoU {ranked[chosen]:.2f}" + (f", next {rival} {ranked[rival]:.2f}" if rival else ""),
    )


def agree(first: str, second: str) -> bool:
    """Whether two conventions are practically the same."""
    return first == second or _practically_same(first, second)


def _fit(replies: Sequence[CardReply], name: str) -> float:
    convention = CONVENTIONS[name]
    scores: list[float] = []
    for reply in replies:
        for shape, boxes in zip(reply.card.shapes, reply.boxes, strict=True):
            decoded = [decode(box, convention, reply.card.size, reply.card.size) for box in boxes]
            scores.append(float(np.max(iou_xyxy(decoded, [shape.box]))) if decoded else 0.0)
    return sum(scores) / len(scores) if scores else 0.0


def _practically_same(first: str, second: str) -> bool:
    a, b = CONVENTIONS[first], CONVENTIONS[second]
    if a.order != b.order or not a.grid or not b.grid:
        return first == second
    return abs(a.grid - b.grid) <= _SAME_WITHIN * max(a.grid, b.grid)

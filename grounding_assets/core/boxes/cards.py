"""Calibration cards: synthetic pictures whose boxes are known, to ask a model about.

A card shows coloured shapes at asymmetric places, so that conventions disagree about every box. What the
replies tell is found out by `calibration`; sending the cards is done elsewhere.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from grounding_assets.core.records import PixelBox


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
    """(width, height) in pixels."""
    caption: str
    shapes: tuple[Shape, ...]


# (colour, shape, x, y, width, height) in shares of the sides; no two overlap, none mirrors another
_WIDE = (
    ("red", "rectangle", 0.05, 0.55, 0.13, 0.30),
    ("blue", "ellipse", 0.62, 0.08, 0.22, 0.24),
    ("green", "rectangle", 0.73, 0.62, 0.19, 0.33),
    ("orange", "rectangle", 0.28, 0.14, 0.16, 0.21),
)
_TALL = (
    ("purple", "rectangle", 0.58, 0.05, 0.34, 0.11),
    ("green", "ellipse", 0.08, 0.20, 0.27, 0.16),
    ("red", "rectangle", 0.45, 0.71, 0.47, 0.13),
    ("blue", "rectangle", 0.10, 0.52, 0.21, 0.18),
)
_COLOURS = {
    "red": (255, 0, 0),
    "blue": (0, 0, 255),
    "green": (0, 128, 0),
    "orange": (255, 165, 0),
    "purple": (128, 0, 128),
}


def calibration_card(size: tuple[int, int]) -> Card:
    """The card of this size, (width, height) in pixels; wide and tall ones differ in what they show."""
    width, height = size
    picture = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(picture)
    shapes = []
    for colour, form, x, y, w, h in _WIDE if width > height else _TALL:
        box = (round(x * width), round(y * height), round((x + w) * width), round((y + h) * height))
        # Pillow's far corner belongs to the shape, ours does not
        far = (box[0], box[1], box[2] - 1, box[3] - 1)
        (pen.ellipse if form == "ellipse" else pen.rectangle)(far, fill=_COLOURS[colour])
        shapes.append(Shape(f"the {colour} {form}", box))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return Card(buffer.getvalue(), size, _caption(shapes), tuple(shapes))


def _caption(shapes: Sequence[Shape]) -> str:
    names = [shape.phrase for shape in shapes]
    return f"A white picture with {', '.join(names[:-1])} and {names[-1]}."

"""Calibration cards: synthetic pictures whose boxes are known, to ask a model about.

A card shows coloured shapes at asymmetric places, so that conventions disagree about every box. All cards name
the same shapes, so that only who looks at the picture can tell where they are. What the replies tell is found out
by `calibration`; sending the cards is done elsewhere.
"""

import io
import random
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


_SHAPES = ("red rectangle", "blue ellipse", "green rectangle", "orange rectangle")
# (x, y, width, height) of each in shares of the sides; no two overlap, none mirrors another
_WIDE = (
    (0.05, 0.55, 0.13, 0.30),
    (0.62, 0.08, 0.22, 0.24),
    (0.73, 0.62, 0.19, 0.33),
    (0.28, 0.14, 0.16, 0.21),
)
_TALL = (
    (0.45, 0.71, 0.47, 0.13),
    (0.08, 0.20, 0.27, 0.16),
    (0.58, 0.05, 0.34, 0.11),
    (0.10, 0.52, 0.21, 0.18),
)
_SHIFT = 0.02
"""How far a shape of a control card may lie from its place, as a share of the side: no two meet then."""
_COLOURS = {"red": (255, 0, 0), "blue": (0, 0, 255), "green": (0, 128, 0), "orange": (255, 165, 0)}


def calibration_card(size: tuple[int, int]) -> Card:
    """The card of this size, (width, height) in pixels; wide and tall ones show the shapes at other places."""
    return _drawn(size, _WIDE if size[0] > size[1] else _TALL)


def control_card(size: tuple[int, int], chance: random.Random) -> Card:
    """A card that nobody was asked about before: places mirrored and shifted, and shapes in another order, by chance."""
    across, down = chance.choice(((True, False), (False, True), (True, True)))

    def shifted(edge: float) -> float:
        return edge + chance.uniform(-_SHIFT, _SHIFT)

    places = [
        (shifted(1 - x - w if across else x), shifted(1 - y - h if down else y), w, h)
        for x, y, w, h in (_WIDE if size[0] > size[1] else _TALL)
    ]
    chance.shuffle(places)
    return _drawn(size, places)


def _drawn(size: tuple[int, int], places: Sequence[tuple[float, float, float, float]]) -> Card:
    width, height = size
    picture = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(picture)
    shapes = []
    for name, (x, y, w, h) in zip(_SHAPES, places, strict=True):
        colour, form = name.split()
        box = (round(x * width), round(y * height), round((x + w) * width), round((y + h) * height))
        # Pillow's far corner belongs to the shape, ours does not
        far = (box[0], box[1], box[2] - 1, box[3] - 1)
        (pen.ellipse if form == "ellipse" else pen.rectangle)(far, fill=_COLOURS[colour])
        shapes.append(Shape(f"the {name}", box))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return Card(buffer.getvalue(), size, _caption(shapes), tuple(shapes))


def _caption(shapes: Sequence[Shape]) -> str:
    names = [shape.phrase for shape in shapes]
    return f"A white picture with {', '.join(names[:-1])} and {names[-1]}."

"""Finds plainly coloured shapes in a synthetic picture: the boxes of "the red rectangle" by its colour and shape.

Each connected region of one flat, saturated colour on a pale ground is a shape; how much of its box it fills
tells rectangles from ellipses and triangles. Knows nothing about any particular picture.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

Box = tuple[float, float, float, float]
"""xyxy, each edge a fraction (0-1) of the image's width or height."""

# Hue ranges in degrees. Purple and magenta share hues and differ in brightness.
_HUES = {
    "red": (345, 12),
    "orange": (18, 44),
    "yellow": (46, 72),
    "green": (78, 160),
    "cyan": (165, 200),
    "blue": (205, 258),
    "purple": (262, 335),
    "magenta": (262, 335),
}
COLOURS = (*_HUES, "black")
_COLOUR_WORD = re.compile(r"\b(" + "|".join(COLOURS) + r")\b", re.IGNORECASE)


def colour_named(expression: str) -> str | None:
    """The first colour word of an expression in lower case, or None."""
    match = _COLOUR_WORD.search(expression)
    return match.group().lower() if match else None


@dataclass(frozen=True, slots=True)
class Shape:
    """One connected region."""

    box: Box
    filled: float
    """Share of its box that it covers: a rectangle 1, an ellipse 0.79, a triangle 0.5."""

    def is_called(self, expression: str) -> bool:
        """Whether the expression's word for a shape, if it has one, can mean this one."""
        kinds = {word for word in _FILLED if word in expression.lower()}
        return not kinds or any(low <= self.filled <= high for low, high in map(_FILLED.__getitem__, kinds))


_FILLED = {
    "rectangle": (0.9, 1.1),
    "square": (0.9, 1.1),
    "ellipse": (0.68, 0.9),
    "circle": (0.68, 0.9),
    "oval": (0.68, 0.9),
    "triangle": (0.4, 0.68),
}


def shapes_by_colour(image: Image.Image) -> Mapping[str, Sequence[Shape]]:
    """The shapes of each colour that occurs, from the top; colours that do not are missing."""
    hsv = np.asarray(image.convert("RGB").convert("HSV"))
    hue, saturation, value = hsv[..., 0] * np.float32(360 / 255), hsv[..., 1], hsv[..., 2]
    coloured = (saturation > 127) & (value > 60)
    masks = {name: coloured & _between(hue, *limits) for name, limits in _HUES.items()}
    masks["magenta"] &= value > 190
    masks["purple"] &= value <= 190
    masks["black"] = value < 60
    found = {name: tuple(_shapes(mask)) for name, mask in masks.items()}
    return {name: shapes for name, shapes in found.items() if shapes}


def boxes_called(expression: str, shapes: Mapping[str, Sequence[Shape]]) -> tuple[Box, ...]:
    """Boxes of the shapes that an expression names by colour, and by shape where one of them has that shape."""
    coloured = shapes.get(colour_named(expression) or "", ())
    fitting = [shape for shape in coloured if shape.is_called(expression)]
    return tuple(shape.box for shape in fitting or coloured)


def _between(hue: np.ndarray, low: int, high: int) -> np.ndarray:
    return (hue >= low) & (hue <= high) if low < high else (hue >= low) | (hue <= high)


def _shapes(mask: np.ndarray) -> Iterator[Shape]:
    """The regions of a mask after lines of up to two pixels, such as re-encoding leaves at edges, are gone."""
    core = mask[1:-1, 1:-1].copy()
    for rows in (slice(0, -2), slice(1, -1), slice(2, None)):
        for columns in (slice(0, -2), slice(1, -1), slice(2, None)):
            core &= mask[rows, columns]
    height, width = mask.shape
    for left, top, right, bottom in _regions(core):
        # A core pixel i is mask pixel i + 1, and the shape reaches one pixel further to either side.
        x1, y1, x2, y2 = left, top, right + 2, bottom + 2
        filled = float(mask[y1:y2, x1:x2].mean())
        yield Shape((x1 / width, y1 / height, x2 / width, y2 / height), filled)


def _regions(core: np.ndarray) -> list[tuple[int, int, int, int]]:
    """(left, top, right, bottom) of each connected region, end-exclusive: runs of rows that touch are joined."""
    open_regions: list[tuple[list[tuple[int, int]], list[int]]] = []
    done: list[list[int]] = []
    for y in np.flatnonzero(core.any(axis=1)).tolist():
        edges = np.flatnonzero(np.diff(core[y].astype(np.int8), prepend=0, append=0)).tolist()
        still_open = []
        for start, stop in zip(edges[0::2], edges[1::2], strict=True):
            box, runs = [start, y, stop, y + 1], [(start, stop)]
            touching = [
                region
                for region in (*still_open, *open_regions)
                if region[1][3] in (y, y + 1) and any(a < stop and start < b for a, b in region[0])
            ]
            for other_runs, other in touching:
                box = [*map(min, box[:2], other[:2]), *map(max, box[2:], other[2:])]
                if other[3] == y + 1:
                    runs += other_runs
            open_regions = [region for region in open_regions if region not in touching]
            still_open = [region for region in still_open if region not in touching]
            still_open.append((runs, box))
        done += [box for _, box in open_regions]
        open_regions = still_open
    done += [box for _, box in open_regions]
    return [(x1, y1, x2, y2) for x1, y1, x2, y2 in sorted(done, key=lambda box: (box[1], box[0]))]

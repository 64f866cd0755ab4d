"""Finds plainly coloured shapes in a synthetic picture: the box of "the red rectangle" by its colour.

Works on pictures drawn with one shape per colour on a pale ground. The shape's word is ignored.
"""

import re
from collections.abc import Mapping

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


def boxes_by_colour(image: Image.Image) -> Mapping[str, Box]:
    """The box around all pixels of each colour that occurs; colours that do not are missing."""
    hsv = np.asarray(image.convert("RGB").convert("HSV"))
    hue, saturation, value = hsv[..., 0] * np.float32(360 / 255), hsv[..., 1], hsv[..., 2]
    coloured = (saturation > 127) & (value > 60)
    masks = {name: coloured & _between(hue, *limits) for name, limits in _HUES.items()}
    masks["magenta"] &= value > 190
    masks["purple"] &= value <= 190
    masks["black"] = value < 60
    found = {name: _box(mask) for name, mask in masks.items()}
    return {name: box for name, box in found.items() if box is not None}


def _between(hue: np.ndarray, low: int, high: int) -> np.ndarray:
    return (hue >= low) & (hue <= high) if low < high else (hue >= low) | (hue <= high)


def _box(mask: np.ndarray) -> Box | None:
    """The box of a mask after lines of up to two pixels, such as re-encoding leaves at edges, are gone."""
    core = mask[1:-1, 1:-1].copy()
    for rows in (slice(0, -2), slice(1, -1), slice(2, None)):
        for columns in (slice(0, -2), slice(1, -1), slice(2, None)):
            core &= mask[rows, columns]
    xs, ys = np.flatnonzero(core.any(axis=0)), np.flatnonzero(core.any(axis=1))
    if not xs.size:
        return None
    height, width = mask.shape
    # A core pixel i is mask pixel i + 1, and the shape reaches one pixel further to either side.
    return xs[0] / width, ys[0] / height, (xs[-1] + 3) / width, (ys[-1] + 3) / height

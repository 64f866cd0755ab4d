"""Numbers, scores and boxes out of JSON values. Whose box it is, is decided by `grounding`."""

import math
import re
from collections.abc import Sequence

from grounding_assets.core.boxes.coordinates import RawBox
from grounding_assets.core.replies.json_values import JsonArray, JsonValue

MAX_COORDINATE = 1e6
"""No frame is that large: a larger number is not a coordinate."""

MAX_NUMBERS_TEXT = 200
"""A longer string is not a number or a box."""

_NUMBER = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)"
_NUMBER_TEXT = re.compile(rf"\s*({_NUMBER})\s*")
_BOX_TEXT = re.compile(rf"\s*[\[(]*\s*({_NUMBER}(?:[\s,]+{_NUMBER}){{3}})\s*[\])]*\s*")

CORNERS = (
    ("x_min", "y_min", "x_max", "y_max"),
    ("xmin", "ymin", "xmax", "ymax"),
    ("x1", "y1", "x2", "y2"),
    ("left", "top", "right", "bottom"),
)
"""Names that say themselves which edge they mean."""


def as_number(value: JsonValue) -> float | None:
    """A finite number, also where it is written as a string; None for all else, truth values included."""
    if isinstance(value, str):
        written = _NUMBER_TEXT.fullmatch(value) if len(value) <= MAX_NUMBERS_TEXT else None
        return as_number(float(written.group(1))) if written else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and abs(value) <= MAX_COORDINATE else None


def as_score(value: JsonValue) -> float | None:
    """A score of 0.0 to 1.0; None for all else: 95 may or may not be per cent."""
    score = as_number(value)
    return score if score is not None and 0 <= score <= 1 else None


def as_box(value: JsonValue, *, from_points: bool) -> RawBox | None:
    """Four numbers in the order they stand, or None.

    Args:
        from_points: whether two points `[[x1, y1], [x2, y2]]` are the corners of a box.
    """
    if isinstance(value, str):
        written = _BOX_TEXT.fullmatch(value) if len(value) <= MAX_NUMBERS_TEXT else None
        return _four([float(n) for n in re.split(r"[\s,]+", written.group(1))]) if written else None
    if not isinstance(value, JsonArray) or not (value.closed and value.sound):
        return None
    if from_points and len(value.elements) == 2:
        return _four([n for point in value.elements for n in _pair(point)])
    return _four([as_number(element) for element in value.elements])


def _pair(value: JsonValue) -> list[float | None]:
    if not isinstance(value, JsonArray) or not value.sound or len(value.elements) != 2:
        return []
    return [as_number(element) for element in value.elements]


def _four(numbers: Sequence[float | None]) -> RawBox | None:
    finite = [n for n in numbers[:5] if n is not None and as_number(n) is not None]
    if len(numbers) != 4 or len(finite) != 4:
        return None
    return (finite[0], finite[1], finite[2], finite[3])

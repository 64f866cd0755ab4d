"""Numbers, scores and boxes out of what a reply writes. Whose box it is, is decided by `entries` and `matching`.

Every box leaves this module as four numbers in the order of the model's family: what is written as a corner
and a size, as a centre, or under names is converted here and nowhere else.
"""

import math
import re
from collections.abc import Mapping, Sequence

from grounding_assets.core.boxes.coordinates import Order, RawBox, in_order
from grounding_assets.core.replies.declared import Form
from grounding_assets.core.replies.json_values import JsonArray, JsonValue

MAX_COORDINATE = 1e6
"""No frame is that large: a larger number is not a coordinate."""

MAX_NUMBERS_TEXT = 200
"""A longer string is not a number or a box."""

NUMBER = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)"
_NUMBER_TEXT = re.compile(rf"\s*({NUMBER})\s*")
_BOX_TEXT = re.compile(rf"\s*[\[(]*\s*({NUMBER}(?:[\s,]+{NUMBER}){{3}})\s*[\])]*\s*")
_TOKEN = re.compile(r"<(?:[xy]_)?([0-9]{1,4})>")
_TAGGED_BOX = re.compile(rf"\s*<(b?box)>((?:[^<>]|{_TOKEN.pattern})*)</\1>\s*,?")
_NONE = {"none", "null", "n/a", "[]", "not found", "not visible", "not present", "absent", "no box"}

_CORNERS = (
    ("x_min", "y_min", "x_max", "y_max"),
    ("xmin", "ymin", "xmax", "ymax"),
    ("x1", "y1", "x2", "y2"),
    ("x0", "y0", "x1", "y1"),
    ("left", "top", "right", "bottom"),
)
_CORNERS_AND_SIZES = tuple(
    (x, y, w, h)
    for x, y in (("x", "y"), ("left", "top"), ("x_min", "y_min"), ("xmin", "ymin"))
    for w, h in (("width", "height"), ("w", "h"))
)
_CENTRES_AND_SIZES = tuple(
    (x, y, w, h)
    for x, y in (("cx", "cy"), ("x_center", "y_center"), ("center_x", "center_y"))
    for w, h in (("width", "height"), ("w", "h"))
)
_POINT_PAIRS = (("top_left", "bottom_right"),)
EDGE_NAMES = frozenset(
    name for names in (*_CORNERS, *_CORNERS_AND_SIZES, *_CENTRES_AND_SIZES, *_POINT_PAIRS) for name in names
)
"""Every name that an edge, a size or a corner goes by."""
CERTAIN_EDGE_NAMES = EDGE_NAMES - {"x", "y", "w", "h", "width", "height"}
"""Those that say nothing else than part of a box; a width may be the image's."""


def as_number(value: JsonValue) -> float | None:
    """A finite number, also if it is written as a string; None for all else, truth values included."""
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


def says_none(text: str) -> bool:
    """Whether words in the place of a box say that there is none."""
    return text.strip().strip(".").lower() in _NONE


def untagged(text: str) -> list[str]:
    """What stands between the box tags of a string, tokens as numbers; the string itself if it is not all tags.

    >>> untagged("<bbox>1 2 3 4</bbox><bbox>5 6 7 8</bbox>"), untagged("<box><x_1><y_2><x_3><y_4></box>")
    (['1 2 3 4', '5 6 7 8'], [' 1  2  3  4 '])
    """
    parts = list(_TAGGED_BOX.finditer(text)) if len(text) <= MAX_NUMBERS_TEXT * 10 else []
    if not parts or _TAGGED_BOX.sub("", text).strip():
        return [text]
    return [_TOKEN.sub(r" \1 ", part.group(2)) for part in parts]


def as_box(
    value: JsonValue, *, from_points: bool, form: Form | None = None, order: Order = "xyxy"
) -> RawBox | None:
    """Four numbers in the order of the family, or None.

    Args:
        from_points: whether two points `[[x1, y1], [x2, y2]]` are the corners of a box.
        form: what the reply itself says the four numbers are; None if it says nothing.
        order: the family's order.
    """
    if isinstance(value, str):
        parts = untagged(value)
        numbers: Sequence[float | None] = _numbers_in(parts[0]) if len(parts) == 1 else []
    elif not isinstance(value, JsonArray) or not (value.closed and value.sound):
        return None
    elif from_points and len(value.elements) == 2:
        numbers = [n for point in value.elements for n in _pair(point)]
    else:
        numbers = [as_number(element) for element in value.elements]
    box = _four(numbers)
    return box if box is None or form is None else _declared(box, form, order)


def named_box(members: Mapping[str, JsonValue], order: Order, form: Form | None = None) -> RawBox | None:
    """The box that an object states under names such as `x1` or `left` and `width`, or None.

    Args:
        form: what the reply says beside them; the names tell the order, and no name tells a unit or a turn.
    """
    if form in ("percent", "turned"):
        return None
    for first, second in _POINT_PAIRS:
        if first in members and second in members:
            box = _four([*_pair(members[first]), *_pair(members[second])])
            return None if box is None else in_order(box, order)
    for shapes, make in (
        (_CORNERS, lambda a, b, c, d: (a, b, c, d)),
        (
            _CORNERS_AND_SIZES,
            _around if form in ("centred", "cxcywh") else lambda x, y, w, h: (x, y, x + w, y + h),
        ),
        (_CENTRES_AND_SIZES, _around),
    ):
        for names in shapes:
            if box := _four([as_number(members.get(name)) for name in names]):
                return in_order(make(*box), order)
    return None


def _around(x: float, y: float, w: float, h: float) -> RawBox:
    return (x - w / 2, y - h / 2, x + w / 2, y + h / 2)


def _declared(box: RawBox, form: Form, order: Order) -> RawBox | None:
    """A box in the form that the reply names; None if that tells no order, or contradicts the family."""
    if form == order:
        return box
    if order == "yxyx":
        return None
    a, b, c, d = box
    if form == "xyxy":
        return in_order(box, order)
    if form == "xywh":
        return (a, b, a + c, b + d)
    return in_order(_around(*box), order) if form == "cxcywh" else None


def _numbers_in(text: str) -> list[float]:
    if len(text) > MAX_NUMBERS_TEXT:
        return []
    written = _BOX_TEXT.fullmatch(text)
    return [float(n) for n in re.split(r"[\s,]+", written.group(1))] if written else []


def _pair(value: JsonValue) -> list[float | None]:
    if not isinstance(value, JsonArray) or not value.sound or len(value.elements) != 2:
        return []
    return [as_number(element) for element in value.elements]


def _four(numbers: Sequence[float | None]) -> RawBox | None:
    finite = [n for n in numbers[:5] if n is not None and as_number(n) is not None]
    if len(numbers) != 4 or len(finite) != 4:
        return None
    return (finite[0], finite[1], finite[2], finite[3])

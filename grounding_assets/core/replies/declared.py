"""What the words around the boxes say that their numbers are. Members of JSON that say so are read by `keys`."""

import re
from typing import Literal

Declared = Literal["xyxy", "yxyx", "xywh", "cxcywh"]

_FIRST, _LAST = r"(?:_?min|_?0|_?1)?", r"(?:_?max|_?1|_?2)"
_TO = r"[\s`\"'*]*,[\s`\"'*]*"
_ORDERS: dict[Declared, re.Pattern[str]] = {
    "xyxy": re.compile(rf"\bx{_FIRST}{_TO}y{_FIRST}{_TO}x{_LAST}{_TO}y{_LAST}\b", re.IGNORECASE),
    "yxyx": re.compile(rf"\by{_FIRST}{_TO}x{_FIRST}{_TO}y{_LAST}{_TO}x{_LAST}\b", re.IGNORECASE),
    "xywh": re.compile(
        rf"\bx{_FIRST}{_TO}y{_FIRST}{_TO}w(?:idth)?{_TO}h(?:eight)?\b|\bxywh\b", re.IGNORECASE
    ),
    "cxcywh": re.compile(
        rf"\b(?:cx|x_?cent(?:er|re)|cent(?:er|re)_?x){_TO}(?:cy|y_?cent(?:er|re)|cent(?:er|re)_?y){_TO}w|\bcxcywh\b",
        re.IGNORECASE,
    ),
}
_PERCENT = re.compile(
    r"\b(?:coordinates?|values?|numbers?|boxes|units?)\b[^.\n]{0,40}(?:\bpercent(?:age)?s?\b|% of)",
    re.IGNORECASE,
)


def declared_orders(words: str) -> set[Declared]:
    """The orders of a box's four numbers that a text names.

    >>> declared_orders("Format: [ymin, xmin, ymax, xmax]"), declared_orders("as (x, y, width, height)")
    ({'yxyx'}, {'xywh'})
    """
    return {order for order, pattern in _ORDERS.items() if pattern.search(words)}


def declares_percent(words: str) -> bool:
    """Whether a text says that the numbers are per cent.

    >>> declares_percent("All values are percentages of the width."), declares_percent("20 percent off")
    (True, False)
    """
    return _PERCENT.search(words) is not None

"""What a reply says that the four numbers of its boxes are: in the words around them, or in a member beside them."""

import re
from typing import Literal

Form = Literal["xyxy", "yxyx", "xywh", "cxcywh", "centred", "percent", "turned", "unknown"]
"""The order of four numbers, or: a point that is the centre; per cent; a rotated box, or another origin; none of these."""

_AXIS = r"cent(?:er|re)|min|max|left|right|top|bottom|start|end|c|[0-9]"
_EDGE = rf"(?:[xy](?:[\s_-]?(?:{_AXIS}))?|(?:min|max|cent(?:er|re))[\s_-]?[xy]|c[xy]|width|height|left|top|right|bottom|[whltrb])"
_BETWEEN = r"[\s`\"'*_,;/|]{0,6}"
_FOUR_EDGES = re.compile(rf"(?<![^\W_]){_EDGE}(?:{_BETWEEN}{_EDGE}){{3}}(?![^\W_])", re.IGNORECASE)
_EACH_EDGE = re.compile(_EDGE, re.IGNORECASE)

_KIND = r"(?:format|mode|convention|layout|style|type|order)"
_NAMES: tuple[tuple[Form, str], ...] = (("xywh", "coco"), ("cxcywh", "yolo"), ("xyxy", "voc"), ("yxyx", "yx"))
_NAMED: tuple[tuple[Form, re.Pattern[str]], ...] = tuple(
    (
        form,
        re.compile(
            rf"\b{_KIND}\W{{1,3}}(?:pascal\W?)?{name}\b|\b{name}[\s_-]+(?:{_KIND}|boxes|bbox)\b", re.I
        ),
    )
    for form, name in _NAMES
)
_POINT = rf"\b(?:anchor|origin|reference|pivot|{_KIND})[xy]?\b[^.\n]{{0,20}}"
_CENTRED = re.compile(rf"{_POINT}\b(?:cent(?:er|re|roid)|middle)\b", re.IGNORECASE)
_TURNED = re.compile(
    r"\b(?:origin|(?:anchor|reference|pivot)(?: ?(?:point|corner|[xy]))?(?=\W?[:=]| (?:point|corner) ))\b(?:(?!\btop|\bupper|[.;\n]).){0,30}\b(?:bottom|lower|right)",
    re.IGNORECASE,
)
_NUMBERS = r"\b(?:coord(?:inate)?s?|values?|numbers?|boxes|bbox|units?|scale|range|system|normali[sz]\w+)\b"
_HUNDRED = r"\b100\b(?![.\d]|\s?,)"
_TO_HUNDRED = rf"\b0(?:\.0)?\s?(?:-|–|to|\.\.+|,)\s?{_HUNDRED}"
_PERCENT = re.compile(
    rf"{_NUMBERS}[^.\n]{{0,40}}(?:(?<!\d )\bpercent(?:age)?s?\b|% of)|\bunits?\W{{1,3}}%"
    rf"|(?<!score )(?<!confidence )(?:{_NUMBERS}[^.\n\d]{{0,20}}{_TO_HUNDRED}|\b(?:scale|range|grid|normali[sz]\w+|max\w* coord\w*)\b[^.\n\d]{{0,20}}{_HUNDRED})"
    r"|坐标[^。\n]{0,20}百分|座標[^。\n]{0,20}(?:百分|パーセント)|\bKoordinaten\b[^.\n]{0,40}\bProzent",
    re.IGNORECASE,
)


def declared_forms(words: str) -> set[Form]:
    """The forms that a text names; `unknown` for four names of edges in an order that no box has.

    >>> declared_forms("Format: [ymin, xmin, ymax, xmax]"), declared_forms("as (x, y, width, height)")
    ({'yxyx'}, {'xywh'})
    >>> declared_forms("anchor: center"), declared_forms("All values are percentages of the width.")
    ({'centred'}, {'percent'})
    >>> declared_forms("20 percent off")
    set()
    """
    forms: set[Form] = {_order_of(_EACH_EDGE.findall(found.group())) for found in _FOUR_EDGES.finditer(words)}
    for form, pattern in _NAMED:
        if pattern.search(words):
            forms.add(form)
    if not forms and _CENTRED.search(words):
        forms.add("centred")
    if _PERCENT.search(words):
        forms.add("percent")
    if _TURNED.search(words):
        forms.add("turned")
    return forms


def _order_of(edges: list[str]) -> Form:
    names = [edge.lower() for edge in edges]
    axes = "".join(map(_axis, names))
    if any("c" in name for name in names):
        return "cxcywh" if axes == "xywh" else "unknown"
    if axes == "yxyx" and "t" in names:
        # `tlbr`: y first by its letters, x first in the tracking libraries that coined it
        return "unknown"
    return axes if axes in ("xyxy", "yxyx", "xywh") else "unknown"


def _axis(name: str) -> str:
    if name[0] in "wh":
        return name[0]
    return "x" if name[0] in "lr" or "x" in name.replace("max", "") else "y"

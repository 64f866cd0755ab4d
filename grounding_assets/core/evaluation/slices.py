"""Kinds of gold expressions that figures are given for separately."""

import re

from grounding_assets.core.records import Expression

SMALL, MEDIUM = 32**2, 96**2
"""COCO's limits of area in square pixels (pycocotools, `Params.setDetParams`)."""

SLICES: dict[str, tuple[str, ...]] = {
    "box size": ("small", "medium", "large"),
    "instances": ("0", "1", "2-4", "5+"),
    "number": ("singular", "plural"),
}

_QUANTITY = re.compile(
    "two|three|four|five|six|seven|eight|nine|ten|dozens?|several|many|both|few|couple|pair", re.IGNORECASE
)
_PLURAL_NOUN = re.compile(
    "people|.*men|children|feet|teeth|geese|mice|oxen|cattle|police|(?!.*(ss|us|is)$).*s"
)
_SINGULAR_NOUN = re.compile("specimen|gas|lens|news|series|canvas|christmas|asparagus")
_AFTER_THE_NOUN = re.compile(
    "of|in|on|at|with|by|near|from|to|behind|beside|under|over|above|below|between|next|along|around|inside"
    "|outside|against|that|which|who|whose|wearing|holding"
)


def slices_of(expression: Expression, *, judged: bool) -> list[tuple[str, str]]:
    """(dimension, name) of each slice that a gold expression belongs to.

    Box size is that of its boxes' mean area, so that an expression counts in one slice only; COCO takes
    the area of the object's outline, here it is that of the box.

    Args:
        judged: whether gold says what the image shows of it; without, its boxes put it in no slice.
    """
    found = [("number", "plural" if is_plural(expression) else "singular")]
    if judged:
        count = len(expression.instances)
        found.append(("instances", str(count) if count < 2 else "2-4" if count < 5 else "5+"))
    if judged and expression.instances:
        areas = [(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in (i.bbox for i in expression.instances)]
        area = sum(areas) / len(areas)
        found.append(("box size", "small" if area < SMALL else "medium" if area < MEDIUM else "large"))
    return found


def is_plural(expression: Expression) -> bool:
    """Whether its wording is plural, by the rules of English; other languages mostly count as singular."""
    if any(_QUANTITY.fullmatch(word) for word in re.findall(r"\w+", expression.text)[:2]):
        return True
    words = re.findall(r"\w+", (expression.noun_chunk or expression.text).lower())
    ends = [k for k, word in enumerate(words) if k and _AFTER_THE_NOUN.fullmatch(word)]
    noun = words[(ends[0] if ends else len(words)) - 1] if words else ""
    return bool(_PLURAL_NOUN.fullmatch(noun)) and not _SINGULAR_NOUN.fullmatch(noun)

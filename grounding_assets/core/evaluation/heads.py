"""Where the head noun of an expression stands: what it is about, whatever else is said of it.

English rules over the words of the expression, helped by the noun chunk that is written beside it.
"""

import re
from itertools import pairwise

from grounding_assets.core.records import Expression, Span


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


MEASURES = _words(
    """group groups bunch bunches couple couples pair pairs crowd crowds herd herds flock flocks number lot lots row rows
    line lines pile piles stack stacks set sets dozen dozens variety collection series assortment array pack team family
    trio handful cluster swarm fleet piece pieces slice slices kind kinds type types sort sorts"""
)
"""Nouns that only measure the one after `of`: in `a group of people` the people are what is seen."""
AFTER_THE_NOUN = _words(
    """of in on at with by near from to for behind beside under over above below between next along around inside
    outside against onto into through across while as and or is are was were that which who whose"""
)
_DETERMINERS = _words("a an the this that these those his her its their two some")
_LIKE_PARTICIPLES = _words("building thing something nothing anything ceiling king ring string wing clothing")
_WORD = re.compile(r"\w+(?:['’-]\w+)*")
_PARTICIPLE = re.compile(r"\w+ing")


def head_span(expression: Expression) -> Span:
    """The head noun's `[start, end)` in code points of the caption; the whole expression if it has no word.

    The noun chunk says which word it is, if it is part of the text; else it is the last word before what follows a
    noun (`of`, `in`, `riding`, …). After a noun that only measures, the noun after `of` counts.
    """
    text, start = expression.text, expression.char_span[0]
    begin = _after_measures(text)
    words = list(_WORD.finditer(text, begin))
    if not words:
        return expression.char_span
    chunk = expression.noun_chunk.strip()
    place = re.search(rf"\b{re.escape(chunk)}\b", text[begin:], re.IGNORECASE) if chunk else None
    if place:
        words = [
            word for word in words if begin + place.start() <= word.start() < begin + place.end()
        ] or words
    head = words[0]
    for previous, word in pairwise(words):
        # after a determiner, a participle describes the noun to come: "a smiling man"
        if _ends_noun(word[0].lower()) and previous[0].lower() not in _DETERMINERS:
            break
        head = word
    return start + head.start(), start + head.end()


def _after_measures(text: str) -> int:
    """Where the words that only measure end: behind `a group of `."""
    begin = 0
    for found in re.finditer(r"\bof\s+", text, re.IGNORECASE):
        before = _WORD.findall(text[begin : found.start()])
        if not before or before[-1].lower() not in MEASURES:
            break
        begin = found.end()
    return begin


def _ends_noun(word: str) -> bool:
    return word in AFTER_THE_NOUN or (bool(_PARTICIPLE.fullmatch(word)) and word not in _LIKE_PARTICIPLES)

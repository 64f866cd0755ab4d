"""What a name in a reply can stand for: an id, a text, a text with an id or an index at its edge."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from grounding_assets.core.replies.wording import with_digits
from grounding_assets.core.spans.folding import comparison_key

_PREFIX = r"(?:expressions?|expr|exp|id|e)"
_ID = re.compile(
    rf"(?:(?P<path>.*)/)?[\s\[(\"'#]*(?P<prefix>{_PREFIX}[\s_.:#-]*(?:e[\s_-]*)?)?0*(?P<number>[0-9]{{1,4}})[\s\])\"'.,:]*(?:/b[0-9]+)?",
    re.IGNORECASE | re.ASCII | re.DOTALL,
)
_ID_FIRST = re.compile(
    rf"[\[(]?\s*(?P<id>{_PREFIX}[\s_-]*[0-9]{{1,4}})\s*(?:[\])]\s*)?(?:[:.)=–—-]\s*|\s+|(?=\())(?P<text>\S.*)",
    re.IGNORECASE | re.ASCII | re.DOTALL,
)
_ID_LAST = re.compile(
    rf"(?P<text>.*\S)\s*[\[(]\s*(?P<id>{_PREFIX}[\s_-]*[0-9]{{1,4}})\s*[\])]\s*",
    re.IGNORECASE | re.ASCII | re.DOTALL,
)
_INDEX_LAST = re.compile(
    r"(?P<text>.*[^\W_]\W*?)(?:\s*[#_-]\s*[0-9]{1,3}|\s*[\[(]\s*#?[0-9]{1,3}(?:\s*(?:of|/)\s*[0-9]{1,3})?\s*[\])]|\s+[0-9]{1,3})\s*",
    re.ASCII | re.DOTALL,
)
_MARKUP = " \t\n*_`#。，、：；！？「」『』（）·"


@dataclass(frozen=True, slots=True)
class IdNumber:
    """A number that an id stands for; `bare` where nothing but the number says that it is an id."""

    number: int
    bare: bool


@dataclass(frozen=True, slots=True)
class NameReading:
    """One way to read a name: its text, and the id that stands beside it."""

    text: str
    id: IdNumber | None = None


def id_number(text: str) -> IdNumber | None:
    """The number of an id, whatever its case, blanks, leading zeros and prefix; None for all else.

    >>> id_number(" E01 "), id_number("expression_1"), id_number("7")
    (IdNumber(number=1, bare=False), IdNumber(number=1, bare=False), IdNumber(number=7, bare=True))
    >>> id_number("photo/e1"), id_number("photo/e1/b0"), id_number("e1/0")
    (IdNumber(number=1, bare=False), IdNumber(number=1, bare=False), None)
    >>> id_number("expressions/1")
    IdNumber(number=1, bare=False)
    """
    found = _ID.fullmatch(text) if len(text) <= 200 else None
    if found is None:
        return None
    number = IdNumber(int(found.group("number")), found.group("prefix") is None)
    if (path := found.group("path")) is None:
        return number
    parent = path.rpartition("/")[2]
    if number.bare and parent.lower() in ("expression", "expressions"):
        return IdNumber(number.number, bare=False)
    before = _ID.fullmatch(parent)
    # a number behind a slash is a box's index, or no id at all; behind an id, nobody can say which counts
    return None if number.bare or (before and before.group("prefix")) else number


def readings(name: str) -> Iterator[NameReading]:
    """The ways to read a name, the most literal first.

    >>> [reading.text for reading in readings("e2: two dogs (1)")]
    ['e2: two dogs (1)', 'two dogs (1)', 'e2: two dogs', 'two dogs']
    """
    yield NameReading(name)
    whole = [NameReading(name)]
    for pattern in (_ID_FIRST, _ID_LAST):
        if found := pattern.fullmatch(name.strip(_MARKUP)):
            text = found.group("text").strip()
            if text.startswith("(") and text.endswith(")"):
                text = text[1:-1]
            whole.append(NameReading(text, id_number(found.group("id"))))
            yield whole[-1]
    for reading in whole:
        if indexed := _INDEX_LAST.fullmatch(reading.text):
            yield NameReading(indexed.group("text"), reading.id)


def key_of(text: str) -> str:
    """Equal for texts that differ in case, blanks, quotes, edge punctuation or an English article alone."""
    return comparison_key(text.strip(_MARKUP)).strip(_MARKUP)


def number_key(text: str) -> str:
    """As `key_of`, and equal for numbers as words and as digits."""
    return " ".join(with_digits(key_of(text).split(" ")))

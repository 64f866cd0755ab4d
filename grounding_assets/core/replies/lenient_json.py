"""JSON as models write it: a scanner that finds every value in a text and never fails.

Own code rather than a repair library, because a repair must not be silent here. Tried: json-repair 0.64 reads
`[1, 2, 3 4]` as four numbers and a cut list as a whole one, and puts "" where a value is missing; json5 0.17
stops at the first error; both keep one of two equal keys. This scanner reads valid JSON exactly as the
standard library does and says of everything else what it is: containers remember whether their end was seen
(`closed`) and whether anything in them could not be read (`sound`), objects keep all pairs in order, and
repairs are counted.

Accepted beyond JSON: trailing commas, single quotes, unescaped quotes inside strings, Python and
JavaScript literals, tuples, bare keys, `//` comments, doubled braces, closers that are missing or do not
match. The text is walked once, up to a bounded number of short retreats, so time is linear. What the values
mean is decided elsewhere.
"""

import re
from collections.abc import Iterator
from enum import Enum
from typing import Literal

from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.replies.json_values import JsonArray, JsonObject, JsonValue

MAX_DEPTH = 64
MAX_CONTAINERS = 20_000
"""Objects and arrays of one text; the most boxes that a reply may hold need a third of them."""
_MAX_INNER_QUOTED = 4_000
"""Characters behind a doubtful quote in which the true end of the string is looked for."""
_MAX_QUOTE_RETREATS = 50
"""Doubtful quotes that proved to be the end; beyond that every quote is taken for the end."""

_SPACE = r"(?:\s|//[^\n]*)*+"
_STRING = r"\"(?:[^\"\\]|\\.)*+\"|'(?:[^'\\]|\\.)*+'"
_WORD = r"[A-Za-z_$][\w$-]*+|[0-9]++"
_KEY = rf"(?:{_STRING}|{_WORD}){_SPACE}:"


def _pattern(source: str) -> re.Pattern[str]:
    return re.compile(source, re.DOTALL)


_SPACES = _pattern(_SPACE)
_OPENER = _pattern(
    rf"\{{(?={_SPACE}(?:\}}|\{{|[\"']|\Z|(?:{_WORD}){_SPACE}:))"
    rf"|\[(?={_SPACE}(?:[\]\[{{(\"'0-9.+-]|\Z|(?:true|false|null|None|True|False)\b))"
)
"""A bracket that can begin a value: prose such as `[see below]` or `{x}` is passed over."""
_NUMBER = _pattern(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?(?![\w.])")
_LITERAL = _pattern(r"-?[A-Za-z_]\w*")
_BARE_KEY = _pattern(rf"({_WORD}){_SPACE}:")
_PLAIN = {quote: _pattern(rf"[^\\{quote}]*+") for quote in "\"'"}
_AFTER_KEY = _pattern(rf"{_SPACE}:")
_CUT_KEY = rf"(?:\"(?:[^\"\\]|\\.)*+\"?+|'(?:[^'\\]|\\.)*+'?+)\\?{_SPACE}\Z"
_AFTER_MEMBER = _pattern(rf"{_SPACE}(?:[}}\])]|\Z|,{_SPACE}(?:[}}\])({{\[]|\Z|{_CUT_KEY})|,?{_SPACE}{_KEY})")
_AFTER_ELEMENT = _pattern(
    rf"{_SPACE}(?:[}}\])]|\Z|,{_SPACE}(?:[}}\])({{\[\"'0-9.+-]|\Z|(?:true|false|null|None|True|False)\b))"
)
_AFTER = {"key": _AFTER_KEY, "member": _AFTER_MEMBER, "element": _AFTER_ELEMENT}
_STRUCTURE = _pattern(r"[{}\[\]\n]")
_UNREADABLE = _pattern(r"[^,{}\[\]()\"]*+")
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_SURROGATE = _pattern(r"[\ud800-\udfff]")
_HEX4 = _pattern(r"[0-9a-fA-F]{4}")
_LITERALS = {"true": True, "True": True, "false": False, "False": False, "null": None, "None": None}
_NOT_FINITE = {"NaN", "nan", "Infinity", "inf", "-Infinity", "-inf"}

_Role = Literal["key", "member", "element"]


class _Missing(Enum):
    """Stands for a value that could not be read; JSON's null is a value."""

    VALUE = 0


class Scanner:
    """Walks one text from left to right; see `values`."""

    def __init__(self, text: str):
        self.text = text
        self.repairs = 0
        """Departures from JSON that were put right."""
        self.at = 0
        """Where it stands: behind the last container."""
        self._open: list[str] = []
        self._quote_retreats = 0
        self._containers = 0

    def values(self) -> Iterator[JsonObject | JsonArray]:
        """Every outermost container of the text, in order.

        Raises:
            SampleFailure: `unparsable`, if containers nest deeper than `MAX_DEPTH`, or are more than `MAX_CONTAINERS`.
        """
        while (opener := self.opener_from(self.at)) is not None:
            yield self.value_at(opener)

    def opener_from(self, start: int) -> int | None:
        """Where the next container begins, at `start` or behind it."""
        opener = _OPENER.search(self.text, start)
        return opener.start() if opener else None

    def value_at(self, opener: int) -> JsonObject | JsonArray:
        """The container that begins at an opener; raises as `values` does."""
        self.at = opener
        return self._container()

    def _container(self) -> JsonObject | JsonArray:
        if len(self._open) >= MAX_DEPTH:
            raise SampleFailure(Reason.UNPARSABLE, f"The reply nests deeper than {MAX_DEPTH} levels.")
        self._containers += 1
        if self._containers > MAX_CONTAINERS:
            raise SampleFailure(
                Reason.UNPARSABLE,
                f"The reply holds more than {MAX_CONTAINERS} lists and objects: the model repeats itself.",
            )
        opener = self.text[self.at]
        self.at += 1
        self._open.append({"{": "}", "[": "]", "(": ")"}[opener])
        value = self._object() if opener == "{" else self._array()
        self._open.pop()
        return value

    def _array(self) -> JsonArray:
        array = JsonArray()
        slot_is_empty = True
        while self._continues(array):
            char = self.text[self.at]
            if char == ",":
                array.sound &= not slot_is_empty
                slot_is_empty = True
                self.at += 1
                continue
            value = self._value("element")
            if value is _Missing.VALUE:
                self._skip_unreadable(array)
                continue
            if not slot_is_empty and not _may_touch(array.elements[-1], value):
                array.sound = False
            array.elements.append(value)
            slot_is_empty = False
        return array

    def _object(self) -> JsonObject:
        members = JsonObject()
        doubled = 0
        while self._continues(members):
            char = self.text[self.at]
            if char == ",":
                self.at += 1
            elif char == "{" and not members.pairs:
                doubled += 1
                self.repairs += 1
                self.at += 1
            elif char == "{" and self._open[-2:-1] == ["]"]:
                self.repairs += 1
                return members
            elif (key := self._key()) is None or (value := self._value("member")) is _Missing.VALUE:
                self._skip_unreadable(members)
            else:
                members.pairs.append((key, value))
        while doubled and self._peek() == "}":
            doubled -= 1
            self.at += 1
        return members

    def _continues(self, container: JsonObject | JsonArray) -> bool:
        """Moves to the next token; False if the container ends there."""
        char = self._peek()
        while char and char in ")]}":
            if char == self._open[-1]:
                self.at += 1
                return False
            self.repairs += 1
            if char in self._open:
                return False
            self.at += 1
            char = self._peek()
        container.closed = bool(char)
        return container.closed

    def _peek(self) -> str:
        spaces = _SPACES.match(self.text, self.at)
        self.at = spaces.end() if spaces else self.at
        return self.text[self.at : self.at + 1]

    def _key(self) -> str | None:
        if bare := _BARE_KEY.match(self.text, self.at):
            self.repairs += 1
            self.at = bare.end()
            return bare.group(1)
        if self.text[self.at] not in "\"'":
            return None
        key = self._string("key")
        if key is None or self._peek() != ":":
            return None
        self.at += 1
        return key

    def _value(self, role: _Role) -> JsonValue | _Missing:
        char = self._peek()
        if not char:
            return _Missing.VALUE
        if char in "{[(":
            return self._container()
        if char in "\"'":
            text = self._string(role)
            return _Missing.VALUE if text is None else text
        if number := _NUMBER.match(self.text, self.at):
            self.at = number.end()
            return _number(number.group())
        if literal := _LITERAL.match(self.text, self.at):
            if literal.group() in _LITERALS:
                self.at = literal.end()
                return _LITERALS[literal.group()]
            if literal.group() in _NOT_FINITE:
                self.at = literal.end()
                return float("nan")
        return _Missing.VALUE

    def _string(self, role: _Role) -> str | None:
        """The string that begins here; None if the text ends inside it.

        A quote ends it if what follows can follow a string in that role; otherwise it is taken for an
        unescaped quote of the text, unless structure comes before a better end is found.
        """
        text, quote = self.text, self.text[self.at]
        self.repairs += quote == "'"
        pieces: list[str] = []
        at = self.at + 1
        first_doubt: tuple[int, int] | None = None
        while True:
            plain = _PLAIN[quote].match(text, at)
            stop = plain.end() if plain else at
            pieces.append(text[at:stop])
            if first_doubt and (stop >= len(text) or self._gives_up(first_doubt[0], at, stop)):
                self._quote_retreats += 1
                self.at = first_doubt[0] + 1
                return well_formed("".join(pieces[: first_doubt[1]]))
            if stop >= len(text):
                self.at = len(text)
                return None
            if text[stop] == "\\":
                piece, at = _escape(text, stop)
                pieces.append(piece)
            elif _AFTER[role].match(text, stop + 1) or self._quote_retreats >= _MAX_QUOTE_RETREATS:
                self.repairs += first_doubt is not None
                self.at = stop + 1
                return well_formed("".join(pieces))
            else:
                first_doubt = first_doubt or (stop, len(pieces))
                pieces.append(quote)
                at = stop + 1

    def _gives_up(self, doubt: int, at: int, stop: int) -> bool:
        return stop - doubt > _MAX_INNER_QUOTED or bool(_STRUCTURE.search(self.text, at, stop))

    def _skip_unreadable(self, container: JsonObject | JsonArray) -> None:
        """Goes on behind what is neither a value nor a separator."""
        if not self._peek():
            return
        container.sound = False
        skipped = _UNREADABLE.match(self.text, self.at)
        if skipped and skipped.end() > self.at:
            self.at = skipped.end()
        elif self.text[self.at] in "{[(":
            self._container()


def well_formed(text: str) -> str:
    """The text with surrogate pairs joined and lone surrogates replaced by U+FFFD.

    >>> well_formed("\\ud83d\\ude00 \\ud83d") == "\\U0001f600 \\ufffd"
    True
    """
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _may_touch(left: JsonValue, right: JsonValue | _Missing) -> bool:
    """Whether a comma may be missing between two elements: never between numbers."""
    return isinstance(left, JsonObject | JsonArray) and isinstance(right, JsonObject | JsonArray)


def _number(lexeme: str) -> int | float:
    return int(lexeme) if len(lexeme) <= 15 and lexeme.lstrip("+-").isdigit() else float(lexeme)


def _escape(text: str, at: int) -> tuple[str, int]:
    """What the escape at that backslash stands for, and where the text goes on."""
    char = text[at + 1 : at + 2]
    if char == "u" and (digits := _HEX4.match(text, at + 2)):
        return chr(int(digits.group(), 16)), digits.end()
    return _ESCAPES.get(char, char), at + 1 + len(char)

"""An answer cut into what can hold boxes and the words between: JSON values, names in tags, boxes in tags.

A value does not go on beyond a code fence, so that a bracket in prose cannot swallow the answer. What the
pieces mean together is decided by `grounding`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from grounding_assets.core.boxes.coordinates import Order
from grounding_assets.core.replies.answer import FENCE
from grounding_assets.core.replies.entries import read_value
from grounding_assets.core.replies.entry_draft import BoxLimit
from grounding_assets.core.replies.lenient_json import Scanner
from grounding_assets.core.replies.native import (
    BOX_TAGS,
    COORDS_TAG,
    NAME_TAGS,
    OUTSIDE_TAGS,
    BoxText,
    boxes_between_tags,
    coords_boxes,
    grouped_in_fours,
    with_lists_of_lists,
)
from grounding_assets.core.replies.parsed import Statement
from grounding_assets.core.replies.wording import leaves_out

_CLOSES = {**NAME_TAGS, **BOX_TAGS}
_TAG = re.compile(
    rf"(?P<coords>{COORDS_TAG.pattern})"
    rf"|(?P<tag>{'|'.join(re.escape(tag) for tag in _CLOSES)})"
    rf"|(?P<bare>{OUTSIDE_TAGS})"
)
_STRAY = re.compile("|".join(re.escape(tag) for tag in _CLOSES.values()))
_JSON_STRING = re.compile(r"\"(?:[^\"\\]|\\.)*+\"")


@dataclass(frozen=True, slots=True)
class Words:
    """Text between two pieces, fences left out."""

    text: str


@dataclass(frozen=True, slots=True)
class Name:
    """A name in tags."""

    text: str
    closed: bool


@dataclass(frozen=True, slots=True)
class Boxes:
    """Boxes in a form of their own; `closed` is False if the text ended first."""

    content: BoxText
    closed: bool = True
    name: str | None = None
    """A name that the form itself holds."""


Piece = Words | Name | Boxes | Statement


def pieces(answer: str, order: Order, limit: BoxLimit) -> Iterator[tuple[Piece, int]]:
    """The pieces in order, each with the departures from JSON that were repaired in it."""
    start = 0
    text = with_lists_of_lists(answer)
    for fence in FENCE.finditer(text):
        yield from _segment(text[start : fence.start()], order, limit)
        yield Words("\n"), 0
        start = fence.end()
    yield from _segment(text[start:], order, limit)


def _segment(text: str, order: Order, limit: BoxLimit) -> Iterator[tuple[Piece, int]]:
    scanner = Scanner(text)
    at = 0
    tag = _TAG.search(text)
    opener = scanner.opener_from(0)
    while tag or opener is not None:
        if tag and (opener is None or tag.start() <= opener):
            if tag.start() > at:
                yield Words(_STRAY.sub(" ", text[at : tag.start()])), 0
            piece, at = _tagged(tag, text, order, limit)
            yield piece, 0
        else:
            assert opener is not None
            if opener > at:
                yield Words(_STRAY.sub(" ", text[at:opener])), 0
            before = scanner.repairs
            found = scanner.value_at(opener)
            at = found.end
            statement = read_value(found.value, order, limit)
            if _is_elided(text[opener:at]):
                # what of: nobody can say
                more = tuple(replace(entry, unreadable=entry.unreadable + 1) for entry in statement.entries)
                statement = replace(statement, entries=more, sound=False)
            yield statement, scanner.repairs - before
        if tag and tag.start() < at:
            tag = _TAG.search(text, at)
        if opener is not None and opener < at:
            opener = scanner.opener_from(at)
    if at < len(text):
        yield Words(_STRAY.sub(" ", text[at:])), 0


def _tagged(tag: re.Match[str], text: str, order: Order, limit: BoxLimit) -> tuple[Piece, int]:
    if tag.group("coords"):
        coords = COORDS_TAG.fullmatch(tag.group())
        assert coords
        return Boxes(coords_boxes(coords.group(1), limit), name=coords.group(2).strip()), tag.end()
    if tag.group("bare"):
        return Boxes(grouped_in_fours(tag.group(), limit)), tag.end()
    opens = tag.group("tag")
    end = text.find(_CLOSES[opens], tag.end())
    # a tag that is opened again was never closed
    again = text.find(opens, tag.end())
    if end < 0 or 0 <= again < end:
        end, closed = (again if again >= 0 else len(text)), False
        after = end
    else:
        closed, after = True, end + len(_CLOSES[opens])
    content = text[tag.end() : end]
    if opens in NAME_TAGS:
        return Name(content.strip(), closed), after
    return Boxes(boxes_between_tags(content, order, limit) if closed else BoxText(), closed), after


def _is_elided(source: str) -> bool:
    """Whether a value leaves something out, with dots or in a comment."""
    return leaves_out(source) and leaves_out(_JSON_STRING.sub("", source))

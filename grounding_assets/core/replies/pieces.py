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
from grounding_assets.core.replies.lenient_json import Scanner
from grounding_assets.core.replies.native import (
    BOX_TAGS,
    COORDS_TAG,
    NAME_TAGS,
    OUTSIDE_TAGS,
    Boxes,
    boxes_between_tags,
    coords_boxes,
    grouped_in_fours,
    with_lists_of_lists,
)
from grounding_assets.core.replies.parsed import Statement
from grounding_assets.core.replies.wording import leaves_out

_CLOSES = {**NAME_TAGS, **BOX_TAGS}
_TAG = re.compile(
    rf"{COORDS_TAG}"
    rf"|(?P<tag>{'|'.join(re.escape(tag) for tag in _CLOSES)})"
    rf"|(?P<bare>{OUTSIDE_TAGS})"
)
_STRAY = re.compile("|".join(re.escape(tag) for tag in _CLOSES.values()))
_JSON_STRING = re.compile(r"\"(?:[^\"\\]|\\.)*+\"")


@dataclass(frozen=True, slots=True)
class Name:
    """A name in tags."""

    text: str
    closed: bool


Piece = str | Name | Boxes | Statement
"""A text is what stands between two pieces, fences left out."""


def pieces(answer: str, order: Order) -> Iterator[Piece]:
    """The pieces in order."""
    start = 0
    text = with_lists_of_lists(answer)
    for fence in FENCE.finditer(text):
        yield from _segment(text[start : fence.start()], order)
        yield "\n"
        start = fence.end()
    yield from _segment(text[start:], order)


def _segment(text: str, order: Order) -> Iterator[Piece]:
    scanner = Scanner(text)
    at = 0
    tag = _TAG.search(text)
    opener = scanner.opener_from(0)
    while tag or opener is not None:
        if tag and (opener is None or tag.start() <= opener):
            if tag.start() > at:
                yield _STRAY.sub(" ", text[at : tag.start()])
            piece, at = _tagged(tag, text, order)
            yield piece
        else:
            assert opener is not None
            if opener > at:
                yield _STRAY.sub(" ", text[at:opener])
            before = scanner.repairs
            value = scanner.value_at(opener)
            at = scanner.at
            statement = replace(read_value(value, order), repairs=scanner.repairs - before)
            if _is_elided(text[opener:at]):
                # what of: nobody can say
                more = tuple(replace(entry, unreadable=entry.unreadable + 1) for entry in statement.entries)
                statement = replace(statement, entries=more, sound=False)
            yield statement
        if tag and tag.start() < at:
            tag = _TAG.search(text, at)
        if opener is not None and opener < at:
            opener = scanner.opener_from(at)
    if at < len(text):
        yield _STRAY.sub(" ", text[at:])


def _tagged(tag: re.Match[str], text: str, order: Order) -> tuple[Piece, int]:
    if (coords := tag.group("coords")) is not None:
        return coords_boxes(coords, tag.group("name").strip()), tag.end()
    if tag.group("bare"):
        return grouped_in_fours(tag.group()), tag.end()
    opens = tag.group("tag")
    end = text.find(_CLOSES[opens], tag.end())
    # a tag that is opened again was never closed
    again = text.find(opens, tag.end())
    closed = end >= 0 and not 0 <= again < end
    if not closed:
        end = again if again >= 0 else len(text)
    after = end + len(_CLOSES[opens]) * closed
    content = text[tag.end() : end]
    if opens in NAME_TAGS:
        return Name(content.strip(), closed), after
    return boxes_between_tags(content, order) if closed else Boxes(closed=False), after


def _is_elided(source: str) -> bool:
    """Whether a value leaves something out, with dots or in a comment."""
    return leaves_out(source) and leaves_out(_JSON_STRING.sub("", source))

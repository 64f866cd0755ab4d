"""A step-1 reply as statements of what is where, whatever form its family writes.

Finding the pieces is done by `pieces`, `entries` and `native`; which expression an entry speaks of, and which of several
statements counts, by `matching`; pixels are `coordinates`.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from grounding_assets.core.boxes.coordinates import Order
from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.replies.answer import answer_text, excerpt, is_closing
from grounding_assets.core.replies.native import LOCATION, Boxes, read_locations
from grounding_assets.core.replies.parsed import Named, ParsedGrounding, ReplyEntry, Statement
from grounding_assets.core.replies.pieces import Name, Piece, pieces
from grounding_assets.core.replies.reasoning import begins_as_reasoning
from grounding_assets.core.replies.wording import heading_of, puts_aside, says_what, takes_back

MAX_BOXES = 2_000
"""A reply with more boxes comes from a model that repeats itself."""

_POINT_XML = re.compile(r"<points?\s")


def parse_grounding(reply: str, *, corner_order: Order = "xyxy") -> ParsedGrounding:
    """Reads the statements of a reply, or says why it cannot; unreadable is never the same as nothing there.

    Args:
        reply: the text of the answer as the model wrote it, reasoning and all.
        corner_order: the family's order, given to boxes whose corners are named (`x_min`, `x1`, `left`),
            so that all boxes of a reply stand in one order.

    Raises:
        SampleFailure: `truncated`, if the text ends before anything is complete; `unparsable` for
            all else that holds neither boxes nor an explicit empty list, points included.

    >>> parse_grounding('{"expressions": [{"id": "e0", "boxes": [{"box_2d": [1, 2, 3, 4]}]}]}').entries[0].boxes
    ((1.0, 2.0, 3.0, 4.0),)
    """
    answer, cut_in_reasoning = answer_text(reply)
    assembly = _Assembly()
    for piece in pieces(answer, corner_order):
        assembly.add(piece)
    statements = assembly.statements
    ends_with_statement = is_closing(assembly.tail)
    truncated = cut_in_reasoning or assembly.is_cut
    truncated |= begins_as_reasoning(answer) and not ends_with_statement
    if LOCATION.search(answer) and not any(_names_something(statement) for statement in statements):
        statements, cut = read_locations(answer)
        truncated |= cut
        assembly.count_boxes(*(entry for statement in statements for entry in statement.entries))
    telling = [statement for statement in statements if statement.says_something]
    if not telling:
        raise _failure(answer, statements, truncated)
    return ParsedGrounding(
        tuple(statement for statement in statements if statement.entries or statement.says_none),
        truncated=truncated,
        ends_with_statement=ends_with_statement,
        repairs=assembly.repairs,
        answer=answer,
        prose="\n".join((*assembly.prose, assembly.tail)),
    )


def _names_something(statement: Statement) -> bool:
    return any(not entry.is_unnamed for entry in statement.entries)


class _Speaker(NamedTuple):
    """Whose boxes come next."""

    labels: tuple[str, ...] = ()
    named: Named = Named.ITSELF


class _Assembly:
    """Puts pieces together: a name, then its boxes, until other words or another name come."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []
        self.tail = ""
        """The words behind the last piece."""
        self.is_cut = False
        """Whether what is begun last was never ended."""
        self.repairs = 0
        self.prose: list[str] = []
        self._box_count = 0
        self._speaker = _Speaker()
        self._passage = 0
        self._is_behind_box = False
        self._is_aside = False
        self._takes_back = False

    def add(self, piece: Piece) -> None:
        """Raises `SampleFailure` (`unparsable`) once there are more than `MAX_BOXES`."""
        if isinstance(piece, str):
            self.tail += piece
            return
        self._take_words()
        self._is_behind_box = not isinstance(piece, Name)
        self.is_cut = not piece.closed
        if isinstance(piece, Name):
            self._speaker = _named(piece.text if piece.closed else "")
        elif isinstance(piece, Boxes):
            self.count_boxes(piece)
            if piece.name is not None:
                self._speaker = _named(piece.name)
            if piece.closed:
                self._add_boxes(piece, (None,) * len(piece.boxes), is_json=False)
        else:
            self.repairs += piece.repairs
            self.count_boxes(*piece.entries)
            if piece.closed:
                self._add_document(piece)

    def count_boxes(self, *of: Boxes | ReplyEntry) -> None:
        """Raises `SampleFailure` (`unparsable`) once there are more than `MAX_BOXES`."""
        self._box_count += sum(len(one.boxes) for one in of)
        if self._box_count > MAX_BOXES:
            raise SampleFailure(
                Reason.UNPARSABLE,
                f"The reply holds more than {MAX_BOXES} boxes: the model repeats itself; "
                "raise its temperature, or ask for fewer expressions.",
            )

    def _take_words(self) -> None:
        words, self.tail = self.tail, ""
        self._is_aside = puts_aside(words)
        self._takes_back = takes_back(words)
        self.prose.append(words)
        rest_of_line, newline, below = words.partition("\n")
        if self._is_behind_box and newline and says_what(rest_of_line):
            # said of the box on that line, or its name: never the name of what stands below
            self._speaker, words = _Speaker(), newline + below
        heading = heading_of(words)
        if heading.breaks_line and self._speaker.named is Named.ON_ITS_LINE:
            self._speaker = _Speaker()
        self._passage += heading.is_prose
        if heading.has_words:
            self._speaker = _named(heading.name, Named.ON_ITS_LINE if heading.on_line else Named.ABOVE)

    def _add_document(self, document: Statement) -> None:
        entries = document.entries
        if not all(entry.is_unnamed for entry in entries):
            self._speaker = _Speaker()
            self._append(document)
        elif entries or (document.says_none and self._speaker.labels):
            boxes = tuple(box for entry in entries for box in entry.boxes)
            scores = tuple(score for entry in entries for score in entry.scores)
            unreadable = sum(entry.unreadable for entry in entries) + (not document.sound)
            self._add_boxes(Boxes(boxes, unreadable), scores, is_json=not self._speaker.labels)
        elif document.says_none:
            self.statements.append(replace(document, passage=self._passage))

    def _add_boxes(self, content: Boxes, scores: tuple[float | None, ...], *, is_json: bool) -> None:
        labels, named = self._speaker
        if content.unreadable and not content.boxes and not labels:
            # a list of other numbers in prose, such as the size of the image
            return
        entry = ReplyEntry(None, labels, content.boxes, scores, unreadable=content.unreadable, named=named)
        self._append(Statement((entry,), is_line=True, is_json=is_json))

    def _append(self, statement: Statement) -> None:
        self.statements.append(
            replace(statement, passage=self._passage, is_aside=self._is_aside, takes_back=self._takes_back)
        )


def _named(name: str, how: Named = Named.ITSELF) -> _Speaker:
    return _Speaker((name,) if name else (), how)


def _failure(answer: str, statements: Sequence[Statement], truncated: bool) -> SampleFailure:
    if _POINT_XML.search(answer) or any(statement.points for statement in statements):
        message = "The reply gives points instead of boxes; use a model that answers with boxes."
        return SampleFailure(Reason.UNPARSABLE, message)
    if truncated:
        message = "The reply ends before its first complete box; raise the token limit."
        return SampleFailure(Reason.TRUNCATED, message)
    unreadable = sum(entry.unreadable for statement in statements for entry in statement.entries)
    if unreadable:
        message = f"The reply holds {unreadable} values where boxes should be, none of them four numbers"
    else:
        message = "The reply holds neither JSON with boxes nor box tokens"
    return SampleFailure(Reason.UNPARSABLE, f"{message}; it begins {excerpt(answer)}")

"""A step-1 reply as statements of what is where, whatever form its family writes.

Finding the pieces is done by `pieces`, `entries` and `native`; which expression an entry speaks of, and which of several
statements counts, by `matching`; pixels are `coordinates`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from grounding_assets.core.boxes.coordinates import Order
from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.replies.answer import answer_text, excerpt, is_closing
from grounding_assets.core.replies.entry_draft import BoxLimit
from grounding_assets.core.replies.native import LOCATION, BoxText, read_locations
from grounding_assets.core.replies.parsed import Named, ParsedGrounding, ReplyEntry, Statement
from grounding_assets.core.replies.pieces import Boxes, Name, Words, pieces
from grounding_assets.core.replies.reasoning import begins_as_reasoning
from grounding_assets.core.replies.wording import Heading, heading_of, puts_aside, says_what, takes_back

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
    limit = BoxLimit()
    assembly = _Assembly()
    for piece, repairs in pieces(answer, corner_order, limit):
        assembly.add(piece)
        assembly.repairs += repairs
    statements = [statement for statement in assembly.statements if statement.closed]
    ends_with_statement = is_closing(assembly.tail)
    truncated = cut_in_reasoning or assembly.is_cut
    truncated |= begins_as_reasoning(answer) and not ends_with_statement
    if LOCATION.search(answer) and not any(_names_something(statement) for statement in statements):
        statements, cut = read_locations(answer, limit)
        truncated |= cut
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


@dataclass(slots=True)
class _Speaker:
    """Whose boxes come next."""

    labels: tuple[str, ...]
    named: Named
    has_boxes: bool = False


class _Assembly:
    """Puts pieces together: a name, then its boxes, until other words or another name come."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []
        self.tail = ""
        """The words behind the last statement."""
        self.is_cut = False
        """Whether what is begun last was never ended."""
        self.repairs = 0
        self._speaker = _Speaker((), Named.ITSELF)
        self._passage = 0
        self._words = ""
        self.prose: list[str] = []
        self._is_behind_box = False
        self._is_aside = False
        self._takes_back = False

    def add(self, piece: Words | Name | Boxes | Statement) -> None:
        if isinstance(piece, Words):
            self._words += piece.text
            self.tail += piece.text
            return
        self._take_words()
        self.tail = ""
        self._is_behind_box = not isinstance(piece, Name)
        if isinstance(piece, Name):
            labels = (piece.text,) if piece.text and piece.closed else ()
            self._speaker = _Speaker(labels, Named.ITSELF)
            self.is_cut = not piece.closed
        elif isinstance(piece, Boxes):
            if piece.name is not None:
                self._speaker = _Speaker((piece.name,) if piece.name else (), Named.ITSELF)
            self.is_cut = not piece.closed
            if piece.closed:
                self._add_boxes(piece.content, is_json=False)
        elif not piece.closed:
            self.is_cut = True
        elif _is_nameless(piece):
            self.is_cut = False
            self._add_nameless(piece)
        else:
            self.is_cut = False
            self._speaker = _Speaker((), Named.ITSELF)
            self.statements.append(
                replace(piece, passage=self._passage, is_aside=self._is_aside, takes_back=self._takes_back)
            )

    def _take_words(self) -> None:
        words, self._words = self._words, ""
        self._is_aside = puts_aside(words)
        self._takes_back = takes_back(words)
        self.prose.append(words)
        rest_of_line, newline, below = words.partition("\n")
        if self._is_behind_box and newline and says_what(rest_of_line):
            # said of the box on that line, or its name: never the name of what stands below
            self._speaker, words = _Speaker((), Named.ITSELF), newline + below
        heading = heading_of(words)
        if heading.breaks_line and self._speaker.named is Named.ON_ITS_LINE:
            self._speaker = _Speaker((), Named.ITSELF)
        self._passage += heading.is_prose
        if heading.has_words:
            self._speaker = _speaker_of(heading)

    def _add_nameless(self, piece: Statement) -> None:
        boxes = tuple(box for entry in piece.entries for box in entry.boxes)
        if not (piece.entries or piece.says_none):
            return
        if not piece.entries and not self._speaker.labels:
            self.statements.append(replace(piece, passage=self._passage))
            return
        scores = tuple(score for entry in piece.entries for score in entry.scores)
        unreadable = sum(entry.unreadable for entry in piece.entries) + (not piece.sound)
        self._add_boxes(BoxText(boxes, unreadable), is_json=True, scores=scores)

    def _add_boxes(
        self, content: BoxText, *, is_json: bool, scores: tuple[float | None, ...] | None = None
    ) -> None:
        speaker = self._speaker
        if content.unreadable and not content.boxes and not speaker.labels:
            # a list of other numbers in prose, such as the size of the image
            return
        speaker.has_boxes = True
        entry = ReplyEntry(
            None,
            speaker.labels,
            content.boxes,
            scores or (None,) * len(content.boxes),
            unreadable=content.unreadable,
            named=speaker.named,
        )
        in_json = is_json and not speaker.labels
        self.statements.append(
            Statement(
                (entry,),
                is_line=True,
                passage=self._passage,
                is_json=in_json,
                is_aside=self._is_aside,
                takes_back=self._takes_back,
            )
        )


def _speaker_of(heading: Heading) -> _Speaker:
    named = Named.ON_ITS_LINE if heading.on_line else Named.ABOVE
    return _Speaker((heading.name,) if heading.name else (), named)


def _is_nameless(statement: Statement) -> bool:
    return all(entry.is_unnamed for entry in statement.entries)


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

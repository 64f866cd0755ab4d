"""What a reply says, typed but not yet decoded: the result of reading, before coordinates and spans.

Coordinates are still those that the model wrote. Reading is done by `grounding` and `extraction`.
"""

from dataclasses import dataclass
from enum import StrEnum

from grounding_assets.core.boxes.coordinates import RawBox
from grounding_assets.core.spans.alignment import Phrase


@dataclass(frozen=True, slots=True)
class ParsedExtraction:
    """A step-0 reply."""

    cleaned_caption: str
    """Not empty, without blank edges."""
    phrases: tuple[Phrase, ...]
    """In the order of the reply; empty if the model says that it sees none."""
    unreadable: int = 0
    """Phrases that are there but cannot be read."""
    repairs: int = 0
    """Departures from JSON that were put right."""


class Named(StrEnum):
    """How an entry comes by its labels."""

    ITSELF = "itself"
    """The labels are its own: a member, a key, or a name in tags."""
    ON_ITS_LINE = "on its line"
    """Words stand before the box on its line: they may be a name or part of a sentence."""
    ABOVE = "above"
    """Words stand on the line above: they are its name if they are one that was asked for."""


@dataclass(frozen=True, slots=True)
class ReplyEntry:
    """What a step-1 reply says of one thing. Without boxes and `unreadable` it says: none seen."""

    expression_id: str | None
    labels: tuple[str, ...]
    """Every text that names the thing, most direct first; several languages may be among them."""
    boxes: tuple[RawBox, ...]
    scores: tuple[float | None, ...]
    """One per box: 0.0 to 1.0, or None if the model gave none."""
    unreadable: int = 0
    """Boxes that are there but are not four finite numbers: it may have more than `boxes`."""
    named: Named = Named.ITSELF
    owner: tuple[str, ...] = ()
    """Ids and names of an entry that holds this one as one of its boxes; then an id of its own is an index."""
    place: int = 0
    """Which list or object of its document it stands in: boxes of one expression stand in one."""

    @property
    def label(self) -> str | None:
        return self.labels[0] if self.labels else None

    @property
    def tells(self) -> bool:
        """It has boxes, or says that there are none; what is only unreadable tells neither."""
        return bool(self.boxes) or not self.unreadable

    @property
    def is_unnamed(self) -> bool:
        return self.expression_id is None and not self.labels


@dataclass(frozen=True, slots=True)
class Statement:
    """A part of a reply that says something as a whole: one JSON value, or one line in words or tokens."""

    entries: tuple[ReplyEntry, ...] = ()
    says_none: bool = False
    """An empty list that names nothing."""
    is_line: bool = False
    """One thing with its box: lines that follow each other add up, while a document replaces an earlier one."""
    passage: int = 0
    """Statements of one passage follow each other without prose between them."""
    is_json: bool = True
    sound: bool = True
    """False if something in it was left out or could not be read: entries may be missing."""
    is_aside: bool = False
    """The words before it say that it is not the answer: a wrong one, an old one, one to compare with."""
    takes_back: bool = False
    """The words before it say that it corrects what was said before."""
    points: int = 0
    """Point coordinates where boxes should be."""
    closed: bool = True
    """False if the text ended first."""
    repairs: int = 0
    """Departures from JSON that were put right."""

    @property
    def says_something(self) -> bool:
        return self.says_none or any(entry.tells for entry in self.entries)


@dataclass(frozen=True, slots=True)
class ParsedGrounding:
    """A step-1 reply. No entries at all means that the model was asked and named nothing."""

    statements: tuple[Statement, ...]
    """Those that are complete, in order; a later one may correct an earlier one."""
    truncated: bool = False
    """The text ends inside a statement, a name or its reasoning."""
    ends_with_statement: bool = True
    """Nothing but closing marks follows the last statement."""
    repairs: int = 0
    """Departures from JSON that were put right."""
    answer: str = ""
    """The text that was read: the reply without its reasoning."""
    prose: str = ""
    """Its words outside of JSON and tags."""

    @property
    def entries(self) -> tuple[ReplyEntry, ...]:
        return tuple(entry for statement in self.statements for entry in statement.entries)

    @property
    def unreadable(self) -> int:
        """Entries and boxes that are there but cannot be read."""
        return sum(entry.unreadable for entry in self.entries)

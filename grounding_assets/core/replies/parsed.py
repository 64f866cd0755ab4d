"""What a reply says, typed but not yet decoded: the result of reading, before coordinates and spans.

Coordinates are still those that the model wrote. Reading is done by `grounding` and `extraction`.
"""

from dataclasses import dataclass

from grounding_assets.core.boxes.coordinates import RawBox
from grounding_assets.core.spans.alignment import Phrase


@dataclass(frozen=True, slots=True)
class ParsedExtraction:
    """A step-0 reply."""

    cleaned_caption: str
    """Not empty, without blank edges."""
    phrases: tuple[Phrase, ...]
    """In the order of the reply; empty where the model says that it sees none."""
    truncated: bool = False
    """The text ended early; the phrases are those that were complete."""
    unreadable: int = 0
    """Phrases that are there but cannot be read."""
    repairs: int = 0
    """Departures from JSON that were put right."""


@dataclass(frozen=True, slots=True)
class ReplyEntry:
    """What a step-1 reply says of one thing. Without boxes and `unreadable` it says: none seen."""

    expression_id: str | None
    labels: tuple[str, ...]
    """Every text that names the thing, most direct first; several languages may be among them."""
    boxes: tuple[RawBox, ...]
    scores: tuple[float | None, ...]
    """One per box: 0.0 to 1.0, or None where the model gave none."""
    complete: bool = True
    """False where the reply was cut, or became unreadable, inside this entry: boxes may be missing."""
    unreadable: int = 0
    """Boxes that are there but are not four finite numbers."""

    @property
    def label(self) -> str | None:
        return self.labels[0] if self.labels else None


@dataclass(frozen=True, slots=True)
class ParsedGrounding:
    """A step-1 reply. No entries at all means that the model was asked and named nothing."""

    entries: tuple[ReplyEntry, ...]
    truncated: bool = False
    """The text ended early; the entries are those that were complete, or say that they are not."""
    unreadable: int = 0
    """Entries and boxes that are there but cannot be read."""
    ignored_values: int = 0
    """Other readable statements of the reply, such as a draft before the final answer."""
    repairs: int = 0
    """Departures from JSON that were put right."""

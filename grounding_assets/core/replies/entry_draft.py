"""An entry while it is read."""

from dataclasses import dataclass, field

from grounding_assets.core.boxes.coordinates import RawBox
from grounding_assets.core.replies.declared import Form
from grounding_assets.core.replies.parsed import ReplyEntry


@dataclass(slots=True)
class EntryDraft:
    """An entry while it is read."""

    expression_id: str | None = None
    names: tuple[str, ...] = ()
    key: str | None = None
    """The mapping key above it, a name of last resort."""
    form: Form | None = None
    """What the reply says its four numbers are, such as `xywh`."""
    owner: tuple[str, ...] = ()
    boxes: list[RawBox] = field(default_factory=list)
    scores: list[float | None] = field(default_factory=list)
    says_none: bool = False
    unreadable: int = 0

    @property
    def says_something(self) -> bool:
        return bool(self.boxes or self.says_none or self.unreadable)

    @property
    def told(self) -> tuple[int, bool, int]:
        """What it says so far, to be compared with what it says later."""
        return len(self.boxes), self.says_none, self.unreadable

    @property
    def labels(self) -> tuple[str, ...]:
        return (*self.names, self.key) if self.key else self.names

    @property
    def identity(self) -> tuple[str, ...]:
        """All that tells what it is of, its owner's included."""
        own = (self.expression_id,) if self.expression_id is not None else ()
        return (*self.owner, *own, *self.labels)

    def entry(self, place: int) -> ReplyEntry:
        return ReplyEntry(
            self.expression_id,
            self.labels,
            tuple(self.boxes),
            tuple(self.scores),
            unreadable=self.unreadable,
            owner=self.owner,
            place=place,
        )

"""Entries out of JSON values: which boxes a reply states, and of what.

Models nest freely, so the reader walks: an object with an id or a name opens an entry, boxes below it belong to
it, and in a mapping such as `{"a red car": {"bboxes": [...]}}` the key is the name. Matching names to what was
asked for is the business of `matching`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

from grounding_assets.core.boxes.coordinates import RawBox
from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.replies.boxes import CORNERS, as_box, as_number, as_score
from grounding_assets.core.replies.json_values import JsonArray, JsonObject, JsonValue
from grounding_assets.core.replies.keys import ENVELOPES, Role, names_of, normal, role_of
from grounding_assets.core.replies.parsed import ReplyEntry

MAX_BOXES = 2_000
"""A reply with more boxes comes from a model that repeats itself."""

_Pair = tuple[str, JsonValue]
_ByRole = dict[Role | None, list[_Pair]]


class Rank(IntEnum):
    """How much a statement says; of several the highest rank is taken, then the last."""

    NOTHING = 0
    EMPTY = 1
    """An explicit empty list, and no more."""
    BOXES = 2
    NAMED = 3
    """At least one box, or an explicit "none", together with what it is of."""


@dataclass(slots=True)
class Reading:
    """One statement of a reply."""

    entries: list[ReplyEntry] = field(default_factory=list)
    says_none: bool = False
    truncated: bool = False
    points: int = 0
    """Point coordinates where boxes should be."""

    @property
    def rank(self) -> Rank:
        telling = [entry for entry in self.entries if entry.boxes or not entry.unreadable]
        if any(entry.expression_id is not None or entry.labels for entry in telling):
            return Rank.NAMED
        if telling:
            return Rank.BOXES
        return Rank.EMPTY if self.says_none else Rank.NOTHING

    @property
    def unreadable(self) -> int:
        return sum(entry.unreadable for entry in self.entries)


@dataclass(slots=True)
class EntryDraft:
    """An entry while it is read."""

    expression_id: str | None = None
    names: tuple[str, ...] = ()
    key: str | None = None
    """The mapping key above it, a name of last resort."""
    boxes: list[RawBox] = field(default_factory=list)
    scores: list[float | None] = field(default_factory=list)
    says_none: bool = False
    complete: bool = True
    unreadable: int = 0

    @property
    def says_something(self) -> bool:
        return bool(self.boxes or self.says_none or self.unreadable)

    def entry(self) -> ReplyEntry:
        labels = (*self.names, self.key) if self.key else self.names
        return ReplyEntry(
            self.expression_id,
            labels,
            tuple(self.boxes),
            tuple(self.scores),
            complete=self.complete,
            unreadable=self.unreadable,
        )


class EntryReader:
    """Reads one statement: every part of it with `read` or `read_into` and `close`, then `reading`."""

    def __init__(self, corner_order: Literal["xyxy", "yxyx"]):
        self._corner_order = corner_order
        self._reading = Reading()
        self._root = EntryDraft()
        self._box_count = 0

    def read(self, value: JsonObject | JsonArray) -> None:
        self._reading.truncated |= not value.closed
        self.read_into(value, self._root)

    def reading(self) -> Reading:
        root = self._root
        if root.boxes or root.unreadable:
            self._reading.entries.append(root.entry())
        self._reading.says_none = root.says_none
        return self._reading

    def add(self, draft: EntryDraft, box: RawBox, score: float | None = None) -> None:
        """Raises `SampleFailure` (`unparsable`) once there are more than `MAX_BOXES`."""
        self._box_count += 1
        if self._box_count > MAX_BOXES:
            raise SampleFailure(
                Reason.UNPARSABLE,
                f"The reply holds more than {MAX_BOXES} boxes: the model repeats itself; "
                "raise its temperature, or ask for fewer expressions.",
            )
        draft.boxes.append(box)
        draft.scores.append(score)

    def close(self, draft: EntryDraft) -> None:
        if draft.says_something:
            self._reading.entries.append(draft.entry())

    def read_into(self, value: JsonValue, draft: EntryDraft, *, from_points: bool = False) -> None:
        """Adds what a value says to an entry; two points are a box if `from_points` is set."""
        if isinstance(value, JsonArray):
            self._array(value, draft, from_points)
        elif isinstance(value, JsonObject):
            for pairs in _statements(value.pairs):
                self._members(pairs, value, draft)
        elif box := as_box(value, from_points=from_points):
            self.add(draft, box)
        else:
            draft.unreadable += 1

    def _array(self, array: JsonArray, draft: EntryDraft, from_points: bool) -> None:
        if box := as_box(array, from_points=from_points):
            self.add(draft, box)
            return
        whole = array.closed and array.sound
        draft.complete &= whole
        if not array.elements:
            draft.says_none |= whole
        elif any(isinstance(element, JsonObject | JsonArray) for element in array.elements):
            for element in array.elements:
                self.read_into(element, draft, from_points=from_points)
        else:
            draft.unreadable += array.closed

    def _members(self, pairs: Sequence[_Pair], owner: JsonObject, outer: EntryDraft) -> None:
        """One object, or one of several that a model has run together."""
        by_role = _by_role(pairs)
        ids = [str(value) for _, value in by_role.get("id", [])]
        names = tuple(name for _, value in by_role.get("label", []) for name in names_of(value))
        named = bool(ids or names)
        draft = EntryDraft(ids[0] if ids else outer.expression_id, names, outer.key) if named else outer
        draft.complete &= owner.closed and owner.sound
        emitted = len(self._reading.entries)
        self._own_boxes(by_role, owner, draft)
        self._reading.points += len(by_role.get("point", []))
        is_mapping = not named and not (by_role.keys() & {"box", "corner", "point"})
        for key, value in by_role.get(None, []):
            self._nested(key, value, draft, is_mapping)

        if named:
            if owner.closed and not draft.says_something and emitted == len(self._reading.entries):
                draft.unreadable += 1
            self.close(draft)

    def _own_boxes(self, by_role: _ByRole, owner: JsonObject, draft: EntryDraft) -> None:
        first = len(draft.boxes)
        for _, value in by_role.get("box", []):
            if value is None:
                draft.says_none = True
            elif owner.closed or not as_box(value, from_points=True):
                self.read_into(value, draft, from_points=True)
        corners = {normal(key): value for key, value in by_role.get("corner", [])}
        if corners and owner.closed:
            self._corners(corners, draft)

        scores = [value for _, value in by_role.get("score", [])]
        if len(scores) == 1:
            count = len(draft.boxes) - first
            stated = scores[0].elements if isinstance(scores[0], JsonArray) else scores
            if len(stated) == count:
                own = draft.scores[first:]
                draft.scores[first:] = [
                    as_score(value) if score is None else score
                    for value, score in zip(stated, own, strict=True)
                ]

    def _corners(self, corners: dict[str, JsonValue], draft: EntryDraft) -> None:
        for x1, y1, x2, y2 in CORNERS:
            order = (x1, y1, x2, y2) if self._corner_order == "xyxy" else (y1, x1, y2, x2)
            edges = [as_number(corners.get(name)) for name in order]
            a, b, c, d = edges
            if a is not None and b is not None and c is not None and d is not None:
                self.add(draft, (a, b, c, d))
                return
        draft.unreadable += 1

    def _nested(self, key: str, value: JsonValue, draft: EntryDraft, is_mapping: bool) -> None:
        if not isinstance(value, JsonObject | JsonArray):
            return
        if normal(key) in ENVELOPES:
            self.read_into(value, draft)
        elif is_mapping:
            child = EntryDraft(draft.expression_id, key=key)
            self.read_into(value, child)
            self.close(child)
        else:
            parts = value.elements if isinstance(value, JsonArray) else [value]
            for part in parts:
                if isinstance(part, JsonObject):
                    self.read_into(part, draft)


def _by_role(pairs: Sequence[_Pair]) -> _ByRole:
    grouped: _ByRole = {}
    for key, value in pairs:
        grouped.setdefault(role_of(key, value), []).append((key, value))
    return grouped


def _statements(pairs: Sequence[_Pair]) -> list[list[_Pair]]:
    """The pairs of an object, separated where it says several things.

    A key that comes again begins the next statement, which keeps the name of its neighbour if it has none;
    `{"labels": [...], "bboxes": [...]}` of equal length becomes one statement per box.
    """
    statements: list[list[_Pair]] = [[]]
    seen: set[str] = set()
    for key, value in pairs:
        word = normal(key)
        if role_of(key, value) is not None:
            if word in seen:
                statements.append([])
                seen.clear()
            seen.add(word)
        statements[-1].append((key, value))
    if len(statements) == 1:
        return _in_parallel(statements[0])

    names = [[pair for pair in statement if role_of(*pair) in ("id", "label")] for statement in statements]
    known = next((found for found in names if found), [])
    for statement, own in zip(statements, names, strict=True):
        known = own or known
        statement.extend([] if own else known)
    return statements


def _in_parallel(pairs: list[_Pair]) -> list[list[_Pair]]:
    lists = {
        role: (key, value.elements)
        for key, value in pairs
        if (role := role_of(key, value)) in ("label", "box", "score") and isinstance(value, JsonArray)
    }
    if "label" not in lists or "box" not in lists:
        return [pairs]
    count = len(lists["label"][1])
    if len(lists["box"][1]) != count or len(lists.get("score", lists["box"])[1]) != count:
        return [pairs]
    return [[(key, elements[i]) for key, elements in lists.values()] for i in range(count)]

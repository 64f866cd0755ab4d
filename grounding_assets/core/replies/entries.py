"""Entries out of JSON values: which boxes a reply states, and of what.

Models nest freely, so the reader walks: an object with an id or a name opens an entry, boxes below it belong to
it, and in a mapping such as `{"a red car": {"bboxes": [...]}}` the key is the name. Matching names to what was
asked for is done by `matching`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

from grounding_assets.core.boxes.coordinates import Order, RawBox
from grounding_assets.core.replies.boxes import (
    CERTAIN_EDGE_NAMES,
    as_box,
    as_score,
    named_box,
    says_none,
    untagged,
)
from grounding_assets.core.replies.entry_draft import EntryDraft
from grounding_assets.core.replies.json_values import JsonArray, JsonObject, JsonValue
from grounding_assets.core.replies.keys import (
    ENVELOPES,
    Role,
    disowns,
    form_of,
    is_about_image,
    is_aside,
    is_shape,
    leaves_open,
    names_of,
    normal,
    presence_of,
    role_of,
)
from grounding_assets.core.replies.lenient_json import Scanner
from grounding_assets.core.replies.pairs import Pair, has_unequal_lists, holds_list_of_boxes, statements_of
from grounding_assets.core.replies.parsed import ReplyEntry, Statement

_ByRole = dict[Role | None, list[Pair]]


def read_value(value: JsonObject | JsonArray, order: Order) -> Statement:
    """What one JSON value says, its boxes in the order of the family."""
    reader = _Reader(order)
    root = EntryDraft()
    reader.read_into(value, root)
    if root.boxes or root.unreadable:
        reader.add_entry(root)
    return Statement(
        entries=tuple(reader.entries),
        says_none=root.says_none,
        is_line=len(reader.entries) == 1 and _states_one_box(value),
        sound=reader.sound,
        points=reader.points,
        closed=value.closed,
    )


def _states_one_box(value: JsonValue) -> bool:
    """Whether an object is one thing with one box, as a line of many is."""
    if not isinstance(value, JsonObject):
        return False
    if len(value.pairs) == 1 and role_of(*value.pairs[0]) is None:
        return as_box(value.pairs[0][1], from_points=False) is not None
    roles = [(role_of(key, member), member) for key, member in value.pairs]
    boxes = [member for role, member in roles if role == "box"]
    if not boxes:
        return any(role == "edge" for role, _ in roles)
    return len(boxes) == 1 and as_box(boxes[0], from_points=True) is not None


class _Reader:
    """Reads one value."""

    def __init__(self, order: Order):
        self._order: Order = order
        self.entries: list[ReplyEntry] = []
        self.sound = True
        self.points = 0
        self._place = 0
        self._places = 0

    def add_entry(self, draft: EntryDraft) -> None:
        self.entries.append(draft.entry(self._place))

    @contextmanager
    def _elsewhere(self) -> Iterator[None]:
        """Entries that are added meanwhile stand in a place of their own."""
        place, self._places = self._place, self._places + 1
        self._place = self._places
        yield
        self._place = place

    def read_into(self, value: JsonValue, draft: EntryDraft, *, from_points: bool = False) -> None:
        """Adds what a value says to an entry; two points are a box if `from_points` is set."""
        if isinstance(value, JsonArray):
            self._array(value, draft, from_points)
        elif isinstance(value, JsonObject):
            self.sound &= not has_unequal_lists(value.pairs)
            for number, pairs in enumerate(statements_of(value.pairs)):
                # a second list of boxes replaces the first, or does not: nobody can say
                with self._elsewhere() if number and holds_list_of_boxes(pairs) else nullcontext():
                    self._members(pairs, value, draft)
        else:
            for part in untagged(value) if isinstance(value, str) else [value]:
                self._single(part, draft, from_points)

    def _single(self, value: JsonValue, draft: EntryDraft, from_points: bool) -> None:
        if box := self._box(value, draft, from_points):
            self._add(draft, box)
        elif isinstance(value, str) and says_none(value):
            draft.says_none = True
        else:
            draft.unreadable += 1
            # "..." among entries stands for more of them
            self.sound &= bool(draft.identity)

    def _box(self, value: JsonValue, draft: EntryDraft, from_points: bool) -> RawBox | None:
        return as_box(value, from_points=from_points, form=draft.form, order=self._order)

    def _add(self, draft: EntryDraft, box: RawBox) -> None:
        draft.boxes.append(box)
        draft.scores.append(None)

    def _array(self, array: JsonArray, draft: EntryDraft, from_points: bool) -> None:
        if box := self._box(array, draft, from_points):
            self._add(draft, box)
        elif not array.elements:
            draft.says_none |= array.sound
            draft.unreadable += not array.sound
        elif any(isinstance(element, JsonObject | JsonArray | str) for element in array.elements):
            with self._elsewhere():
                for element in array.elements:
                    self._element(element, draft, from_points)
            self.sound &= array.sound
            draft.unreadable += not array.sound and bool(draft.expression_id or draft.names or draft.key)
        else:
            self.sound &= array.sound
            draft.unreadable += 1

    def _element(self, element: JsonValue, draft: EntryDraft, from_points: bool) -> None:
        before = (len(self.entries), *draft.told)
        self.read_into(element, draft, from_points=from_points)
        if isinstance(element, JsonObject) and before == (len(self.entries), *draft.told):
            # an object that says nothing may stand for more of them
            draft.unreadable += 1
            self.sound &= bool(draft.identity)

    def _members(self, pairs: Sequence[Pair], owner: JsonObject, outer: EntryDraft) -> None:
        """One object, or one of several that a model has run together."""
        by_role = _by_role(pairs)
        ids = [str(value) for _, value in by_role.get("id", [])]
        names = tuple(name for _, value in by_role.get("label", []) for name in names_of(value))
        form = form_of(pairs) or outer.form
        named = bool(ids or names)
        draft = outer
        if named or form != outer.form:
            holder = outer.identity if ids else outer.owner
            draft = EntryDraft(ids[0] if ids else outer.expression_id, names, outer.key, form, holder)
        self.sound &= owner.sound
        draft.unreadable += named and not owner.sound
        emitted, first = len(self.entries), len(draft.boxes)
        self.points += len(by_role.get("point", []))
        states_edges = self._own_boxes(by_role, draft)
        has_own = states_edges or "box" in by_role
        draft.unreadable += has_own and any(disowns(*pair) for pair in pairs)
        is_mapping = not named and not has_own and "point" not in by_role
        others = [pair for pair in by_role.get(None, []) if not (named and is_aside(pair[0]))]
        if named and not draft.boxes and any(is_shape(*pair) for pair in others):
            draft.unreadable += 1
        # an object with one key in a list is an entry of it, not a document of its own
        with nullcontext() if is_mapping and len(pairs) == 1 else self._elsewhere():
            for key, value in others:
                # boxes under another key than its own are of something else
                is_own = not has_own or normal(key) in ENVELOPES
                self._nested(key, value, draft if is_own else EntryDraft(), is_mapping)

        told = self.entries[emitted:]
        if not (named or has_own):
            count = sum(max(1, len(entry.boxes)) for entry in told)
            self.sound &= not any(leaves_open(*pair, count) for pair in others)
        self._judge_presence(presence_of(pairs), draft, has_boxes=len(draft.boxes) > first, told=told)
        if draft is not outer:
            if named and not draft.says_something and not any(entry.tells for entry in told):
                draft.unreadable += 1
            if draft.says_something:
                self.add_entry(draft)

    def _judge_presence(
        self, present: bool | None, draft: EntryDraft, *, has_boxes: bool, told: Sequence[ReplyEntry]
    ) -> None:
        """A thing that is said to be there has boxes, and one that is not has none."""
        if present is False and not has_boxes and not told:
            draft.says_none |= bool(draft.identity)
        elif present is not None and draft.identity and not told:
            draft.unreadable += present is not has_boxes

    def _own_boxes(self, by_role: _ByRole, draft: EntryDraft) -> bool:
        """Reads the boxes of an object; True if it states edges."""
        first = len(draft.boxes)
        stated: list[list[RawBox]] = []
        for _, value in by_role.get("box", []):
            if value is None:
                draft.says_none = True
            else:
                before = len(draft.boxes)
                self.read_into(value, draft, from_points=True)
                stated.append(draft.boxes[before:])
        # two keys that differ may be in two units, or orders
        draft.unreadable += any(boxes != stated[0] for boxes in stated[1:])
        edges = {normal(key): value for key, value in by_role.get("edge", [])}
        box = None if by_role.get("box") else named_box(edges, self._order, draft.form)
        states_edges = box is not None or bool(edges.keys() & CERTAIN_EDGE_NAMES)
        if box is not None:
            self._add(draft, box)
        elif states_edges and not by_role.get("box"):
            draft.unreadable += 1

        scores = [value for _, value in by_role.get("score", [])]
        if len(scores) == 1:
            count = len(draft.boxes) - first
            given = scores[0].elements if isinstance(scores[0], JsonArray) else scores
            if len(given) == count:
                own = draft.scores[first:]
                draft.scores[first:] = [
                    as_score(value) if score is None else score
                    for value, score in zip(given, own, strict=True)
                ]
        return states_edges

    def _nested(self, key: str, value: JsonValue, draft: EntryDraft, is_mapping: bool) -> None:
        if isinstance(value, str) and normal(key) in ENVELOPES:
            inside = list(Scanner(value).values())
            value = inside[0] if len(inside) == 1 and inside[0].closed else None
        if not isinstance(value, JsonObject | JsonArray):
            return
        if normal(key) in ENVELOPES:
            self.read_into(value, draft)
        elif is_mapping:
            child = EntryDraft(draft.expression_id, key=key, form=draft.form, owner=draft.owner)
            self.read_into(value, child)
            if child.boxes or child.says_none or (child.unreadable and not is_about_image(key)):
                self.add_entry(child)
        else:
            parts = value.elements if isinstance(value, JsonArray) else [value]
            for part in parts:
                if isinstance(part, JsonObject):
                    self.read_into(part, draft)


def _by_role(pairs: Sequence[Pair]) -> _ByRole:
    grouped: _ByRole = {}
    for key, value in pairs:
        grouped.setdefault(role_of(key, value), []).append((key, value))
    return grouped

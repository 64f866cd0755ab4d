"""The pairs of an object, told apart if it says several things: keys that come again, lists side by side."""

from collections.abc import Sequence

from grounding_assets.core.replies.json_values import JsonArray, JsonObject, JsonValue
from grounding_assets.core.replies.keys import Role, normal, role_of

Pair = tuple[str, JsonValue]


def statements_of(pairs: Sequence[Pair]) -> list[list[Pair]]:
    """The pairs of an object, separated if it says several things.

    A key that comes again begins the next statement, which keeps the name of its neighbour if it has none;
    `{"labels": [...], "bboxes": [...]}` of equal length becomes one statement per box.
    """
    statements: list[list[Pair]] = [[]]
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


def _in_parallel(pairs: list[Pair]) -> list[list[Pair]]:
    """One statement for each element of lists that stand side by side; unnamed if they do not pair up."""
    lists = _lists_side_by_side(pairs)
    if "label" not in lists or "box" not in lists:
        return [pairs]
    count, boxes = len(lists["label"][1]), lists["box"][1]
    if len(boxes) == count and len(lists.get("score", lists["box"])[1]) == count:
        return [[(key, elements[i]) for key, elements in lists.values()] for i in range(count)]
    if has_unequal_lists(pairs):
        return [[pair for pair in pairs if role_of(*pair) != "label"]]
    return [pairs]


def _lists_side_by_side(pairs: Sequence[Pair]) -> dict[Role | None, tuple[str, Sequence[JsonValue]]]:
    return {
        role: (key, value.elements)
        for key, value in pairs
        if (role := role_of(key, value)) in ("label", "box", "score") and isinstance(value, JsonArray)
    }


def has_unequal_lists(pairs: Sequence[Pair]) -> bool:
    """Whether several labels stand beside another number of boxes: some box, or some label, is missing."""
    lists = _lists_side_by_side(pairs)
    if "label" not in lists or "box" not in lists:
        return False
    labels, boxes = lists["label"][1], lists["box"][1]
    return len(labels) > 1 and len(labels) != len(boxes) and holds_list_of_boxes(pairs)


def holds_list_of_boxes(pairs: Sequence[Pair]) -> bool:
    """Whether the boxes of an object are a list of them, not the numbers of one."""
    _, boxes = _lists_side_by_side(pairs).get("box", ("", ()))
    return any(isinstance(box, JsonObject | JsonArray | str) for box in boxes)

"""The short path: a reply that is exactly the JSON that was asked for, which most are.

It gives what the long path gives, or None for everything that is otherwise in any respect: prose, another key, a
duplicate key, a name beside the id, an expression left out.
"""

import json
from collections.abc import Sequence
from typing import Any

from grounding_assets.core.boxes.coordinates import RawBox
from grounding_assets.core.replies.boxes import MAX_COORDINATE
from grounding_assets.core.replies.grounding import MAX_BOXES
from grounding_assets.core.replies.matching import MatchedExpression, MatchResult

_BOX_KEYS = ("box_2d", "bbox_2d", "bbox")
"""Those that the families are asked for."""
_MAX_CHARS = 100_000


class _Otherwise(Exception):
    """The reply is not exactly what was asked for."""


def read_obedient(reply: str, expressions: Sequence[tuple[str, str]]) -> MatchResult | None:
    """The boxes of each expression, in order; None if the reply has to be read on the long path.

    Args:
        expressions: (id, text) pairs as they were asked for; ids are unique.

    >>> reply = '{"expressions": [{"id": "e0", "boxes": [{"bbox": [1, 2, 3, 4], "score": 0.5}]}]}'
    >>> read_obedient(reply, [("e0", "a car")]).per_expression[0].boxes
    ((1.0, 2.0, 3.0, 4.0),)
    """
    if len(reply) > _MAX_CHARS or not reply.startswith('{"') or "\\ud" in reply:
        return None
    try:
        tree = json.loads(reply, object_pairs_hook=_unique, parse_constant=_refuse)
        entries = _list(_only(tree, "expressions"))
        found = dict(map(_entry, entries))
        ids = [name for name, _ in expressions]
        if len(entries) != len(ids) or found.keys() != set(ids):
            return None
    except (_Otherwise, ValueError, RecursionError):
        return None
    if sum(len(one.boxes) for one in found.values()) > MAX_BOXES:
        return None
    return MatchResult(tuple(found[name] for name in ids))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _Otherwise
    return members


def _refuse(constant: str) -> float:
    raise _Otherwise(constant)


def _only(value: Any, key: str) -> Any:
    if type(value) is not dict or len(value) != 1 or key not in value:
        raise _Otherwise
    return value[key]


def _list(value: Any) -> list[Any]:
    if type(value) is not list:
        raise _Otherwise
    return value


def _entry(value: Any) -> tuple[str, MatchedExpression]:
    if type(value) is not dict or value.keys() != {"id", "boxes"} or type(value["id"]) is not str:
        raise _Otherwise
    boxes = [_box(box) for box in _list(value["boxes"])]
    scores = tuple(score for _, score in boxes)
    return value["id"], MatchedExpression(True, tuple(box for box, _ in boxes), scores)


def _box(value: Any) -> tuple[RawBox, float | None]:
    if type(value) is not dict:
        raise _Otherwise
    score = value.pop("score", None)
    key = next(iter(value), None)
    if len(value) != 1 or key not in _BOX_KEYS:
        raise _Otherwise
    edges = _list(value[key])
    if len(edges) != 4:
        raise _Otherwise
    a, b, c, d = map(_number, edges)
    if score is not None:
        score = _number(score)
    return (a, b, c, d), score if score is not None and 0 <= score <= 1 else None


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not abs(value) <= MAX_COORDINATE:
        raise _Otherwise
    return float(value)

"""The short path: a reply that is exactly the JSON that was asked for, which most are.

It gives what the long path gives, or None for everything that is otherwise in any respect: prose, another key, a
duplicate key, a name beside the id, an expression left out.
"""

import json
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from grounding_assets.core.replies.boxes import MAX_COORDINATE, as_score
from grounding_assets.core.replies.grounding import MAX_BOXES
from grounding_assets.core.replies.matching import MatchedExpression, MatchResult

_MAX_CHARS = 100_000
_Number = Annotated[float, Field(ge=-MAX_COORDINATE, le=MAX_COORDINATE)]


class _Exactly(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class _Box(_Exactly):
    edges: list[_Number] = Field(
        min_length=4, max_length=4, validation_alias=AliasChoices("box_2d", "bbox_2d", "bbox")
    )
    """Under one of the keys that the families are asked for."""
    score: _Number | None = None


class _Entry(_Exactly):
    id: str
    boxes: list[_Box]


class _Reply(_Exactly):
    expressions: list[_Entry]


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
        entries = _Reply.model_validate(json.loads(reply, object_pairs_hook=_unique)).expressions
    except (ValueError, RecursionError):
        return None
    boxes_of = {entry.id: entry.boxes for entry in entries}
    ids = [name for name, _ in expressions]
    if len(entries) != len(ids) or boxes_of.keys() != set(ids):
        return None
    if sum(map(len, boxes_of.values())) > MAX_BOXES:
        return None
    return MatchResult(tuple(_matched(boxes_of[name]) for name in ids))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key came twice")
    return members


def _matched(boxes: Sequence[_Box]) -> MatchedExpression:
    edges = [(a, b, c, d) for a, b, c, d in (box.edges for box in boxes)]
    return MatchedExpression(True, tuple(edges), tuple(as_score(box.score) for box in boxes))

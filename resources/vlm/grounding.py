"""Step 1's bookkeeping: from matched reply entries to expressions with instances and a status."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from grounding_assets.core.records import Expression, GroundingStatus, Instance
from grounding_assets.core.replies import MatchedExpression

MAX_EXPRESSIONS_PER_CALL = 25
"""Google's own prompt asks for at most 25 objects; longer lists make models loop."""


@dataclass(frozen=True, slots=True)
class GroundedChunk:
    """What one call said of its expressions, in order."""

    matched: tuple[MatchedExpression, ...]
    unmatched_boxes: int


def grounded_expressions(
    expressions: Sequence[Expression], instances: Sequence[tuple[Instance, ...]], mentioned: Sequence[bool]
) -> tuple[Expression, ...]:
    """The expressions with their instances; not being mentioned is told apart from having none."""
    return tuple(
        replace(expression, instances=boxes, grounding_status=_status(boxes, named))
        for expression, boxes, named in zip(expressions, instances, mentioned, strict=True)
    )


def _status(boxes: Sequence[Instance], mentioned: bool) -> GroundingStatus:
    if boxes:
        return GroundingStatus.BOXED
    return GroundingStatus.NONE_SEEN if mentioned else GroundingStatus.NOT_MENTIONED

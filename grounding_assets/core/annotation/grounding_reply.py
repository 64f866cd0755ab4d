"""Step 1's bookkeeping: from a reply to expressions with instances and a status.

What teachers do with a reply when it comes, and what `reparse` does with it again later.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from grounding_assets.core.boxes.coordinates import Convention
from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.records import Expression, GroundingStatus, Instance
from grounding_assets.core.replies import MatchedExpression, MatchResult, match_entries, parse_grounding

MAX_EXPRESSIONS_PER_CALL = 25
"""Google's own prompt asks for at most 25 objects; longer lists make models loop."""


@dataclass(frozen=True, slots=True)
class GroundedChunk:
    """What one call said of its expressions, in order."""

    matched: tuple[MatchedExpression, ...]
    unmatched_boxes: int


def read_part(reply: str, part: Sequence[Expression], convention: Convention) -> tuple[MatchResult, bool]:
    """What one reply says of the expressions it was asked about, and whether it ends before all are answered.

    The expressions were named `e0`, `e1`, … in the order of `part`.

    Raises:
        SampleFailure: `unparsable` or `truncated`.
    """
    parsed = parse_grounding(reply, corner_order=convention.corner_order)
    matched = match_entries(parsed, [(f"e{i}", expression.text) for i, expression in enumerate(part)])
    garbled = [m for m in matched.per_expression if m.mentioned and m.unreadable and not m.boxes]
    if garbled:
        raise SampleFailure(
            Reason.UNPARSABLE, f"The boxes of {len(garbled)} expressions are not four numbers each."
        )
    unanswered = any(not m.mentioned or not m.complete for m in matched.per_expression)
    return matched, parsed.truncated and unanswered


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

"""One reply for both steps: a cleaned caption, its quotes, and the boxes of each.

Read by the readers of the two steps. Whatever one of them does not take, or would have to guess, makes the whole
reply unusable, and the two steps are asked one after the other.
"""

from dataclasses import dataclass, replace
from typing import Any

from grounding_assets.core import prompts
from grounding_assets.core.annotation.grounding_reply import (
    MAX_EXPRESSIONS_PER_CALL,
    grounded_expressions,
    read_part,
    reading_provenance,
)
from grounding_assets.core.annotation.listener import AT_NO_COST
from grounding_assets.core.boxes.coordinates import CONVENTIONS, Convention, ResolvedBoxes, resolve_boxes
from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.records import Expression, Grounding
from grounding_assets.core.replies import MatchResult, ParsedExtraction, parse_extraction
from grounding_assets.core.spans.alignment import SpannedExpressions, locate_phrases, to_expressions
from grounding_assets.core.store.checkpoint import Checkpoint

JOINT = "joint"
"""In a result's provenance: true if one reply gave both steps' results."""
JOINT_SPLIT = "joint_split"
"""In step 0's provenance: why the joint reply was of no use, and both steps were asked one after the other."""
_TAKEN_OVER = ("backend", "model", "family", "convention", "prompt_version", "sent_size", "sent_as_is")


@dataclass(frozen=True, slots=True)
class JointReading:
    """What a joint reply says of its expressions."""

    spanned: SpannedExpressions
    matched: MatchResult
    resolved: ResolvedBoxes

    @property
    def grounded(self) -> tuple[Expression, ...]:
        """The expressions with their instances."""
        mentioned = [one.mentioned for one in self.matched.per_expression]
        return grounded_expressions(self.spanned.expressions, self.resolved.instances, mentioned)


def read_joint(
    reply: str,
    parsed: ParsedExtraction,
    convention: Convention,
    sent_size: tuple[int, int],
    image_size: tuple[int, int],
) -> JointReading:
    """The boxes of a whole reply whose caption was read as `parsed`.

    Args:
        sent_size: (width, height) in pixels of the image as it was sent.
        image_size: (width, height) in pixels of the upright original.

    Raises:
        SampleFailure: an expression is not in the caption, there are more than a call of step 1 may ask about, one has
            no entry of boxes, a box belongs to none, or step 1's reader refuses the reply.
    """
    spanned = to_expressions(parsed.cleaned_caption, parsed.phrases)
    _refuse_other_expressions(parsed, spanned)
    matched = _matched(reply, parsed, spanned, convention)
    resolved = resolve_boxes(matched.per_expression, convention, sent_size, image_size)
    return JointReading(spanned, matched, resolved)


def _refuse_other_expressions(parsed: ParsedExtraction, spanned: SpannedExpressions) -> None:
    if parsed.unreadable or spanned.dropped:
        count = parsed.unreadable + len(spanned.dropped)
        raise SampleFailure(Reason.UNPARSABLE, f"{count} of its expressions are not in its cleaned caption.")
    if len(parsed.phrases) > MAX_EXPRESSIONS_PER_CALL:
        raise SampleFailure(
            Reason.UNPARSABLE, f"It has {len(parsed.phrases)} expressions, more than a call of step 1."
        )


def _matched(
    reply: str, parsed: ParsedExtraction, spanned: SpannedExpressions, convention: Convention
) -> MatchResult:
    """In the order of the caption; the reply is read in its own, which its ids count in."""
    if not spanned.expressions:
        return MatchResult(())
    places = locate_phrases(parsed.cleaned_caption, parsed.phrases)
    by_span = {one.char_span: position for position, one in enumerate(spanned.expressions)}
    order = [by_span[place.char_span] for place in places if place.char_span is not None]
    found = read_part(
        reply, [spanned.expressions[position] for position in order], convention, ended_for_length=False
    )
    if found.unmatched_boxes or not all(one.mentioned for one in found.per_expression):
        raise SampleFailure(Reason.UNPARSABLE, "Its boxes do not belong to its expressions one by one.")
    sorted_ones = sorted(zip(order, found.per_expression, strict=True), key=lambda pair: pair[0])
    return replace(found, per_expression=tuple(one for _, one in sorted_ones))


def grounding_of(extraction: Checkpoint) -> Grounding | None:
    """Step 1 of a sample whose step 0 was answered jointly, by the reply that lies with it; costs nothing.

    None if that holds no boxes for the expressions as they are now, such as after an edit.
    """
    made = extraction.provenance
    convention = CONVENTIONS.get(str(made.get("convention")))
    if made.get(JOINT) is not True or convention is None or not extraction.replies:
        return None
    reply, (width, height) = extraction.replies[-1], made["sent_size"]
    try:
        reading = read_joint(
            reply, parse_extraction(reply), convention, (width, height), extraction.image_size
        )
    except SampleFailure:
        # read otherwise when it came
        return None
    if reading.spanned.expressions != extraction.expressions:
        return None
    return Grounding(reading.grounded, _provenance(made, reading), (reply,))


def _provenance(made: Any, reading: JointReading) -> dict[str, Any]:
    count = len(reading.spanned.expressions)
    return {
        **{name: made[name] for name in (*_TAKEN_OVER, "image_sha256")},
        "settings": {**made["settings"], "prompt_version": prompts.version("ground")},
        JOINT: True,
        **AT_NO_COST,
        "answered_by": [[0, count, 0]] if count else [],
        "boxes": reading.resolved.counts.to_record(),
        **reading_provenance([reading.matched]),
    }

"""Step 1 of a sample: from the reply of a joint call, by asking about all expressions, or about those to be asked again."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from grounding_assets.core.annotation.joint_reply import grounding_of
from grounding_assets.core.annotation.teacher import Teacher, TeacherImage
from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.records import Grounding
from grounding_assets.core.steps import Step
from grounding_assets.core.store.checkpoint import Checkpoint

ASKED_AGAIN = "expressions_asked_again"
"""In a result's provenance: positions of the expressions that its replies are about; the others are an earlier result's."""


async def ground_sample(
    workspace: Workspace, teacher: Teacher[Any], image: TeacherImage | None, extraction: Checkpoint
) -> Grounding:
    """Asks the teacher; what an order leaves in place is taken from the result that it replaces."""
    caption, expressions = extraction.cleaned_caption, extraction.expressions
    positions = _positions(workspace, extraction)
    earlier = workspace.groundings.store.load(extraction.sample_id) if positions else None
    if earlier is None and (known := _answered_jointly(workspace, extraction)) is not None:
        return known
    asked = expressions if earlier is None else [expressions[position] for position in positions]
    result = await teacher.ground(image, caption, asked)
    if [(e.text, e.char_span) for e in asked] != [(e.text, e.char_span) for e in result.expressions]:
        raise AssertionError("a teacher must return the expressions it was asked about, in order")
    if earlier is None:
        return result
    merged = list(earlier.expressions)
    for position, expression in zip(positions, result.expressions, strict=True):
        merged[position] = expression
    kept_of = {name: earlier.provenance.get(name) for name in ("backend", "model", "prompt_version")}
    provenance = {**result.provenance, ASKED_AGAIN: list(positions), "other_expressions": kept_of}
    return replace(result, expressions=tuple(merged), provenance=provenance)


def _answered_jointly(workspace: Workspace, extraction: Checkpoint) -> Grounding | None:
    """What a joint call of this run's settings has told already, if that is not to be asked again."""
    if extraction.settings_fingerprint != workspace.settings.get(Step.EXTRACTION):
        return None
    order = workspace.redo.order_of(extraction.sample_id, Step.GROUNDING) if workspace.redo.open else None
    if order is not None and order.order_id != extraction.order_id:
        return None
    return grounding_of(extraction)


def _positions(workspace: Workspace, extraction: Checkpoint) -> Sequence[int]:
    """Of the expressions to ask about; empty: all."""
    sample_id = extraction.sample_id
    order = workspace.redo.order_of(sample_id, Step.GROUNDING) if workspace.redo.open else None
    positions = order.phrases.get(sample_id, ()) if order is not None else ()
    # without a result of these very expressions and this image there is nothing to leave in place
    return positions if positions and workspace.is_done(sample_id, Step.GROUNDING) else ()

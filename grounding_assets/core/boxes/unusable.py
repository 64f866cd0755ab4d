"""Boxes of one expression that came and cannot be used: what is left of them would look like an answer."""

from collections.abc import Sequence

from grounding_assets.core.boxes.geometry import CleanedBoxes, longest_creep
from grounding_assets.core.errors import Reason, SampleFailure

MAX_CREEP = 10
"""So many boxes in a row, each the one before moved on a little, come from a model that repeats itself."""

_Box = tuple[float, float, float, float]


def refuse_unusable(stated: Sequence[_Box], decoded: Sequence[_Box], cleaned: CleanedBoxes) -> None:
    """Refuses an expression's boxes if none is left, or if one box creeps over the image.

    Args:
        stated: four numbers each, as the model wrote them.
        decoded: the same boxes in pixels of the upright original.
        cleaned: what is left of them.

    Raises:
        SampleFailure: `coordinates` if none is left of boxes that are more than a way to say "none" (four zeros, or
            four times -1); `unparsable` if `MAX_CREEP` boxes follow each other so.
    """
    if len(decoded) >= MAX_CREEP and longest_creep(decoded) >= MAX_CREEP:
        raise SampleFailure(
            Reason.UNPARSABLE,
            f"The reply moves one box on {MAX_CREEP} times or more: the model repeats itself.",
        )
    real = [box for box in stated if len(set(box)) > 1 or box[0] > 0]
    if real and not cleaned.boxes:
        raise SampleFailure(
            Reason.COORDINATES,
            f"Nothing is left of the box {list(real[0])}: it is a line or a point, or lies outside the image.",
        )

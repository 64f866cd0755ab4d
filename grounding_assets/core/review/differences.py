"""Whether boxes that came back from another tool are those that went out."""

from collections.abc import Sequence

TOLERANCE_PX = 1.0
"""Other tools keep percent or fractions of pixels, so that nobody's change shows as less than this."""


def changed_boxes(sent: Sequence[Sequence[float]], back: Sequence[Sequence[float]]) -> list[list[int]] | None:
    """The boxes that came back, whole pixels; one that was left alone is exactly what was sent. None: none changed."""
    left = [list(map(int, box)) for box in sent]
    boxes = []
    for box in back:
        same = next(
            (one for one in left if all(abs(a - b) <= TOLERANCE_PX for a, b in zip(one, box, strict=True))),
            None,
        )
        if same is not None:
            left.remove(same)
        boxes.append(same or [round(edge) for edge in box])
    if not left and len(boxes) == len(sent):
        return None
    return boxes

"""Overlap of boxes and one-to-one matching. Boxes are `xyxy`; areas are without the extra pixel of VOC."""

from collections.abc import Sequence

import numpy as np

Boxes = Sequence[tuple[int, int, int, int]]


def iou_matrix(predicted: Boxes, gold: Boxes) -> np.ndarray:
    """Intersection over union, shape (predicted, gold), 0.0 to 1.0.

    Example: `iou_matrix([(0, 0, 2, 2)], [(1, 0, 3, 2)])` is `[[1/3]]`.
    """
    a = np.asarray(predicted, dtype=float).reshape(-1, 1, 4)
    b = np.asarray(gold, dtype=float).reshape(1, -1, 4)
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    intersection = np.prod(np.clip(sides, 0, None), axis=-1)
    union = np.prod(a[..., 2:] - a[..., :2], axis=-1) + np.prod(b[..., 2:] - b[..., :2], axis=-1)
    return intersection / (union - intersection)


def match(ious: np.ndarray, scores: Sequence[float], min_iou: float) -> np.ndarray:
    """One-to-one matching as COCO does it (pycocotools, `COCOeval.evaluateImg`).

    Predictions choose in the order of descending score (as listed where scores are equal); each takes
    the free gold box with the greatest overlap of at least `min_iou`, the later one of equals. Greedy,
    so that a figure can be compared with COCO's; an optimal assignment could match more.

    Args:
        ious: shape (predicted, gold).

    Returns:
        The gold box of each predicted box, -1 where it got none; shape (predicted,).
    """
    chosen = np.full(len(ious), -1)
    free = ious.copy()
    for prediction in np.argsort(-np.asarray(scores, dtype=float), kind="stable"):
        row = free[prediction][::-1]
        if row.size and row.max() >= min(min_iou, 1 - 1e-10):
            best = row.size - 1 - int(row.argmax())
            chosen[prediction] = best
            free[:, best] = -1
    return chosen

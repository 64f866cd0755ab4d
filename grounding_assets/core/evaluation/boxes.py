"""One-to-one matching of boxes. Areas are without the extra pixel of VOC."""

from collections.abc import Sequence

import numpy as np


def match(ious: np.ndarray, scores: Sequence[float], min_iou: float) -> np.ndarray:
    """One-to-one matching as COCO does it (pycocotools, `COCOeval.evaluateImg`).

    Predictions choose in the order of descending score (as listed if scores are equal); each takes
    the free gold box with the greatest overlap of at least `min_iou`, the later one of equals. Greedy,
    so that a figure can be compared with COCO's; an optimal assignment could match more.

    Args:
        ious: shape (predicted, gold).

    Returns:
        The gold box of each predicted box, -1 if it got none; shape (predicted,).
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

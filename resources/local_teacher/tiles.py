"""A photo looked at as a whole and in overlapping tiles: in a tile, small things are large enough for the detector."""

from collections.abc import Callable

import numpy as np

from resources.local_teacher.detector import Detections, suppress

TILE_SHARE = 0.6
"""Side of a tile as a share of the photo's: four of them cover it, and share a fifth of its width and height."""
CUT_MARGIN = 0.01
"""A box that ends so near an inner edge of its tile (as a share of the tile) is taken as cut by it, and dropped."""
LARGEST_IN_TILE = 0.7
"""A box with a longer side than this share of its tile is dropped: the whole shows such a thing large enough, and of a
part that fills a tile the detector makes a thing of its own."""


def detect_with_tiles(detect: Callable[[np.ndarray], Detections], pixels: np.ndarray) -> Detections:
    """Boxes of the whole picture and of its four tiles, in fractions of the whole, repetitions suppressed.

    `pixels`: (height, width, 3) uint8 RGB.
    """
    height, width = pixels.shape[:2]
    tile_height, tile_width = (max(1, round(side * TILE_SHARE)) for side in (height, width))
    views = [detect(pixels)]
    for top in sorted({0, height - tile_height}):
        for left in sorted({0, width - tile_width}):
            tile = np.ascontiguousarray(pixels[top : top + tile_height, left : left + tile_width])
            corner = np.array([left / width, top / height], dtype=np.float32)
            scale = np.array([tile_width / width, tile_height / height], dtype=np.float32)
            views.append(_in_whole(detect(tile), corner, scale))
    return suppress(
        Detections(
            np.concatenate([view.boxes_norm for view in views]),
            np.concatenate([view.scores for view in views]),
            np.concatenate([view.class_ids for view in views]),
        )
    )


def _in_whole(seen: Detections, corner: np.ndarray, scale: np.ndarray) -> Detections:
    """A tile's boxes in fractions of the whole picture, without those that are cut or that the whole shows better."""
    starts, ends = seen.boxes_norm[:, :2], seen.boxes_norm[:, 2:]
    cut = (starts < CUT_MARGIN) & (corner > 0) | (ends > 1 - CUT_MARGIN) & (corner + scale < 1 - 1e-6)
    whole = ~cut.any(axis=1) & ((ends - starts).max(axis=1) < LARGEST_IN_TILE)
    boxes = np.concatenate([corner + starts * scale, corner + ends * scale], axis=1)
    return Detections(boxes[whole].clip(0, 1), seen.scores[whole], seen.class_ids[whole])

"""A photo looked at in tiles: where their boxes lie in the whole, and which are dropped."""

import numpy as np
import pytest

from resources.local_teacher.detector import Detections
from resources.local_teacher.tiles import detect_with_tiles


def seen(*boxes: tuple[float, float, float, float]) -> Detections:
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(len(boxes), 0.9, np.float32),
        np.zeros(len(boxes), int),
    )


TILES = {
    # the box in the top left tile, which is 60 x 30 of 100 x 50 pixels, and in the whole
    "inside": ((0.5, 0.5, 0.75, 0.75), [(0.3, 0.3, 0.45, 0.45)]),
    "at the photo's own edge": ((0.0, 0.0, 0.5, 0.5), [(0.0, 0.0, 0.3, 0.3)]),
    "large enough in the whole": ((0.05, 0.1, 0.3, 0.85), []),
    "cut by the inner edge on the right": ((0.5, 0.5, 1.0, 0.75), []),
    "cut by the inner edge below": ((0.5, 0.5, 0.75, 0.995), []),
}


@pytest.mark.parametrize(("box", "expected"), TILES.values(), ids=TILES)
def test_boxes_of_a_tile(box: tuple[float, float, float, float], expected: list) -> None:
    pixels = np.zeros((50, 100, 3), np.uint8)
    pixels[0, 0] = 255  # only the whole and the top left tile begin with it

    def detect(view: np.ndarray) -> Detections:
        return seen(box) if view.shape == (30, 60, 3) and view[0, 0, 0] else seen()

    found = detect_with_tiles(detect, pixels)
    np.testing.assert_allclose(found.boxes_norm, np.array(expected).reshape(-1, 4), atol=1e-6)


def test_what_the_whole_and_a_tile_both_show_counts_once() -> None:
    views = iter([seen((0.3, 0.3, 0.45, 0.45)), seen((0.5, 0.5, 0.75, 0.75)), seen(), seen(), seen()])
    found = detect_with_tiles(lambda view: next(views), np.zeros((50, 100, 3), np.uint8))
    assert len(found.scores) == 1


def test_a_photo_of_one_pixel_has_tiles() -> None:
    assert len(detect_with_tiles(lambda view: seen(), np.zeros((1, 1, 3), np.uint8)).scores) == 0

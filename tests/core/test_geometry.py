import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grounding_assets.core.boxes.geometry import DUPLICATE_IOU, clean_boxes, iou_xyxy

edge = st.integers(-50, 250)
raw_box = st.tuples(edge, edge, edge, edge)
score = st.none() | st.floats(0, 1)


def pixels_of(box):
    x1, y1, x2, y2 = box
    return {(x, y) for x in range(x1, x2) for y in range(y1, y2)}


@pytest.mark.parametrize(
    ("a", "b", "iou"),
    [
        ([0, 0, 10, 10], [0, 0, 10, 10], 1.0),
        ([0, 0, 10, 10], [5, 5, 15, 15], 25 / 175),
        ([0, 0, 10, 10], [10, 0, 20, 10], 0.0),
        ([0, 0, 10, 10], [2, 2, 4, 4], 4 / 100),
        ([3, 3, 3, 3], [3, 3, 3, 3], 0.0),
    ],
    ids=["same", "corner", "touching", "inside", "both empty"],
)
def test_iou_of_known_pairs(a, b, iou):
    assert iou_xyxy([a], [b]).item() == pytest.approx(iou)


@given(st.lists(st.tuples(*[st.integers(0, 12)] * 4), min_size=1, max_size=4))
def test_iou_counts_pixels(corners):
    boxes = [(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in corners]
    ious = iou_xyxy(boxes, boxes)
    for i, first in enumerate(boxes):
        for j, second in enumerate(boxes):
            union = pixels_of(first) | pixels_of(second)
            shared = pixels_of(first) & pixels_of(second)
            assert ious[i, j] == pytest.approx(len(shared) / len(union) if union else 0.0)


def test_no_boxes_are_no_boxes():
    assert iou_xyxy([], [[0, 0, 1, 1]]).shape == (0, 1)
    assert clean_boxes([], [], (10, 10)).boxes == ()


def test_edges_go_to_the_nearest_integer_halves_upwards():
    assert clean_boxes([[0.49, 0.5, 9.5, 8.4]], [None], (20, 20)).boxes == ((0, 1, 10, 8),)


def test_swapped_corners_are_sorted_and_counted():
    cleaned = clean_boxes([[30, 5, 10, 15], [10, 15, 30, 5], [0, 0, 4, 4]], [None] * 3, (40, 20))
    assert cleaned.boxes == ((10, 5, 30, 15), (0, 0, 4, 4))
    assert (cleaned.inverted, cleaned.duplicate, cleaned.kept) == (2, 1, (0, 2))


@pytest.mark.parametrize(
    "box",
    [[5, 5, 6.9, 30], [5, 5, 30, 5], [-20, 5, -3, 30], [38.5, 0, 90, 40], [0, 0, 0, 0]],
    ids=["narrow", "flat", "left of the image", "sliver at the edge", "zeros"],
)
def test_boxes_that_show_nothing_are_dropped_and_counted(box):
    cleaned = clean_boxes([box], [0.9], (40, 40))
    assert (cleaned.boxes, cleaned.degenerate) == ((), 1)


def test_two_pixels_are_enough():
    assert clean_boxes([[5, 5, 7, 30]], [0.9], (40, 40)).boxes == ((5, 5, 7, 30),)


def test_of_duplicates_the_better_scored_stays():
    boxes = [[0, 0, 100, 100], [0, 0, 100, 98], [0, 2, 100, 100], [200, 0, 300, 100]]
    cleaned = clean_boxes(boxes, [0.4, None, 0.8, 0.1], (400, 200))
    assert (cleaned.kept, cleaned.duplicate) == ((2, 3), 2)


def test_among_equals_the_first_stays():
    cleaned = clean_boxes([[0, 0, 100, 100], [1, 0, 100, 100]], [None, None], (200, 200))
    assert cleaned.kept == (0,)


def test_overlap_just_below_the_limit_stays():
    assert iou_xyxy([[0, 0, 100, 100]], [[0, 0, 100, 84]]).item() < DUPLICATE_IOU
    assert len(clean_boxes([[0, 0, 100, 100], [0, 0, 100, 84]], [None] * 2, (200, 200)).boxes) == 2


@given(st.lists(st.tuples(raw_box, score), max_size=8), st.integers(1, 200), st.integers(1, 200))
def test_every_box_is_written_or_counted(scored, width, height):
    boxes = [box for box, _ in scored]
    cleaned = clean_boxes(boxes, [s for _, s in scored], (width, height))
    assert len(cleaned.boxes) + cleaned.degenerate + cleaned.duplicate == len(boxes)
    assert list(cleaned.kept) == sorted(set(cleaned.kept))
    for x1, y1, x2, y2 in cleaned.boxes:
        assert 0 <= x1 < x2 <= width
        assert 0 <= y1 < y2 <= height
    overlaps = iou_xyxy(cleaned.boxes, cleaned.boxes) - np.eye(len(cleaned.boxes))
    assert overlaps.max(initial=0) <= DUPLICATE_IOU

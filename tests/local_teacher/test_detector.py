"""The detector on the demonstration's photos, and its suppression on hand-made boxes."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from grounding_assets.core.boxes.geometry import iou_xyxy
from resources.local_teacher.detector import (
    CLASS_NAMES,
    MAX_DETECTIONS,
    MODEL_FILE,
    SCORE_FLOOR,
    Detections,
    Detector,
    suppress,
)
from resources.local_teacher.pixels import read_image

PHOTOS = Path(__file__).resolve().parents[2] / "demo" / "images"

# Boxes drawn by eye around the whole visible object, xyxy pixels.
SEEN = {
    "astronaut": ("astronaut.jpg", "person", (22, 14, 365, 512)),
    "cat": ("chelsea.jpg", "cat", (25, 0, 412, 300)),
    "cup": ("coffee.jpg", "cup", (172, 18, 412, 300)),
    "table": ("coffee.jpg", "dining table", (0, 0, 600, 400)),
    "man": ("camera.jpg", "person", (0, 62, 330, 512)),
}


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector()


@pytest.mark.parametrize(("photo", "class_name", "box"), SEEN.values(), ids=SEEN.keys())
def test_sees_what_is_there(
    detector: Detector, photo: str, class_name: str, box: tuple[int, int, int, int]
) -> None:
    image = read_image(PHOTOS / photo)
    best = detector.detect(image.pixels).of_class(class_name)
    width, height = image.image_size
    overlaps = iou_xyxy([box], best.boxes_norm[:1] * [width, height, width, height])
    assert overlaps.item() > 0.7
    assert best.scores[0] > 0.5


def test_output_is_ordered_and_in_range(detector: Detector) -> None:
    seen = detector.detect(read_image(PHOTOS / "coffee.jpg").pixels)
    assert 0 < len(seen.scores) <= MAX_DETECTIONS
    assert (np.diff(seen.scores) <= 0).all()
    assert (seen.scores > SCORE_FLOOR).all()
    assert (seen.scores <= 1).all()
    assert ((seen.boxes_norm >= 0) & (seen.boxes_norm <= 1)).all()
    assert (seen.boxes_norm[:, 2:] >= seen.boxes_norm[:, :2]).all()
    assert set(seen.class_ids) <= set(range(len(CLASS_NAMES)))


@pytest.mark.parametrize("level", [0, 127, 255])
def test_plain_pictures_show_nothing(detector: Detector, level: int) -> None:
    seen = detector.detect(np.full((300, 300, 3), level, dtype=np.uint8))
    assert not (seen.scores >= 0.2).any()


def test_first_calls_from_many_threads_agree() -> None:
    detector = Detector()
    pictures = [read_image(PHOTOS / photo).pixels for photo in ("coffee.jpg", "chelsea.jpg")] * 4
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(detector.detect, pictures))
    for pixels, seen in zip(pictures, together, strict=True):
        alone = detector.detect(pixels)
        np.testing.assert_array_equal(seen.boxes_norm, alone.boxes_norm)
        np.testing.assert_array_equal(seen.class_ids, alone.class_ids)


@pytest.mark.parametrize("pixels", [np.zeros((300, 300), np.uint8), np.zeros((300, 300, 3), np.float32)])
def test_other_input_is_refused(detector: Detector, pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"\(height, width, 3\) uint8"):
        detector.detect(pixels)


def test_the_model_is_the_one_that_the_notice_names() -> None:
    digest = hashlib.sha256(MODEL_FILE.read_bytes()).hexdigest()
    assert digest in MODEL_FILE.with_name("NOTICE").read_text(encoding="utf-8")


def test_class_names_are_the_80_of_coco() -> None:
    assert len(set(CLASS_NAMES)) == 80
    assert [CLASS_NAMES[i] for i in (0, 11, 12, 24, 79)] == [
        "person", "stop sign", "parking meter", "backpack", "toothbrush",
    ]  # fmt: skip


def candidates(*rows: tuple[tuple[float, float, float, float], float, int]) -> Detections:
    boxes, scores, class_ids = zip(*rows, strict=True)
    return Detections(np.array(boxes, np.float32), np.array(scores, np.float32), np.array(class_ids))


CAT, DOG = 15, 16
SUPPRESSED = {
    "same class, same place": (((0, 0, 1, 1), 0.9, CAT), ((0, 0, 1, 0.9), 0.8, CAT), [0.9]),
    "same class, apart": (((0, 0, 0.4, 1), 0.9, CAT), ((0.5, 0, 1, 1), 0.8, CAT), [0.9, 0.8]),
    "same class, at the limit": (((0, 0, 1, 1), 0.9, CAT), ((0, 0, 1, 0.5), 0.8, CAT), [0.9, 0.8]),
    "other class, far weaker": (((0, 0, 1, 1), 0.9, CAT), ((0, 0, 1, 0.9), 0.4, DOG), [0.9]),
    "other class, half as strong": (((0, 0, 1, 1), 0.9, CAT), ((0, 0, 1, 0.9), 0.5, DOG), [0.9, 0.5]),
    "other class, smaller": (((0, 0, 1, 1), 0.9, CAT), ((0, 0, 1, 0.7), 0.1, DOG), [0.9, 0.1]),
    "out of order": (((0, 0, 1, 0.9), 0.8, CAT), ((0, 0, 1, 1), 0.9, CAT), [0.9]),
}


@pytest.mark.parametrize(("first", "second", "scores"), SUPPRESSED.values(), ids=SUPPRESSED.keys())
def test_suppression(first: tuple, second: tuple, scores: list[float]) -> None:
    np.testing.assert_allclose(suppress(candidates(first, second)).scores, scores, rtol=1e-6)


def test_suppression_of_nothing() -> None:
    nothing = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))
    assert suppress(nothing).boxes_norm.shape == (0, 4)

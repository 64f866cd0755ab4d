"""The pictures of step 2: where the boxes stand on them, and that they are sent as they are meant."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from grounding_assets.core.boxes.geometry import iou_xyxy
from grounding_assets.core.errors import SampleFailure
from grounding_assets.core.images.crops import (
    COLOURS,
    LINE_PX,
    Photo,
    contrasting_colour,
    crop_box,
    photo_and_crop,
    photo_with_boxes,
    read_photo,
)
from grounding_assets.core.images.image_policy import ImagePolicy
from grounding_assets.core.images.prepared_image import PreparedImage
from resources.vlm.families import FAMILIES
from tests.endpoints.verifying import drawn_box

ANY = ImagePolicy()


def photo_of(size: tuple[int, int], colour: str = "grey") -> Photo:
    pixels = Image.new("RGB", size, colour)
    return Photo(pixels, size, "digest", contrasting_colour(pixels))


def seen(prepared: PreparedImage) -> Image.Image:
    return Image.open(io.BytesIO(prepared.encoded)).convert("RGB")


@pytest.mark.parametrize("size", [(640, 480), (480, 640), (500, 500), (1900, 700)])
def test_the_first_panel_shows_the_box_where_it_is(size: tuple[int, int]) -> None:
    width, height = size
    box = (round(width * 0.2), round(height * 0.3), round(width * 0.5), round(height * 0.9))
    photo = photo_of(size)
    picture = seen(photo_and_crop(photo, box, ANY))
    half = (
        (picture.width, (picture.height - 8) // 2)
        if width >= height
        else ((picture.width - 8) // 2, picture.height)
    )
    found = drawn_box(picture.crop((0, 0, *half)), photo.colour)
    assert found is not None
    expected = (box[0] / width, box[1] / height, box[2] / width, box[3] / height)
    assert iou_xyxy([found], [expected])[0, 0] > 0.95


def test_the_crop_shows_the_box_with_its_margin() -> None:
    photo = photo_of((640, 480))
    box = (200, 100, 400, 300)
    picture = seen(photo_and_crop(photo, box, ANY))
    below = picture.crop((0, 480 + 8, 640, picture.height))
    found = drawn_box(below, photo.colour)
    assert found is not None
    # a square crop of 300 px in a panel of 640 x 480: 480 px wide, in the middle, the box at a sixth of it
    expected = ((80 + 80) / 640, 80 / 480, (80 + 400) / 640, 400 / 480)
    assert iou_xyxy([found], [expected])[0, 0] > 0.95


def test_a_box_does_not_hide_what_it_encloses() -> None:
    photo = photo_of((100, 100))
    inside = seen(photo_with_boxes(photo, [(40, 40, 60, 60)], ANY)).crop((43, 43, 57, 57))
    assert np.abs(np.asarray(inside, dtype=int) - 128).max() < 40


@pytest.mark.parametrize("name", COLOURS)
def test_the_colour_is_one_that_the_photo_lacks(name: str) -> None:
    pixels = Image.new("RGB", (90, 60), COLOURS[name])
    assert contrasting_colour(pixels) != name


@given(
    size=st.tuples(st.integers(1, 3000), st.integers(1, 3000)),
    corners=st.tuples(*[st.floats(0, 1)] * 4),
)
def test_a_crop_holds_its_box_and_lies_in_the_image(
    size: tuple[int, int], corners: tuple[float, float, float, float]
) -> None:
    width, height = size
    left, right = sorted((int(corners[0] * (width - 1)), int(corners[2] * (width - 1))))
    top, bottom = sorted((int(corners[1] * (height - 1)), int(corners[3] * (height - 1))))
    box = (left, top, right + 1, bottom + 1)
    x1, y1, x2, y2 = crop_box(box, size)
    assert 0 <= x1 <= box[0] and 0 <= y1 <= box[1] and box[2] <= x2 <= width and box[3] <= y2 <= height
    assert x2 - x1 >= min(width, box[2] - box[0] + LINE_PX)


@settings(max_examples=25, deadline=None)
@given(
    size=st.tuples(st.integers(40, 900), st.integers(40, 900)),
    family=st.sampled_from(FAMILIES),
    place=st.tuples(st.floats(0, 0.9), st.floats(0, 0.9), st.floats(0.01, 1), st.floats(0.01, 1)),
)
def test_every_picture_keeps_to_the_familys_policy(
    size: tuple[int, int], family: object, place: tuple[float, float, float, float]
) -> None:
    policy = family.image  # pyright: ignore[reportAttributeAccessIssue]
    x, y = int(place[0] * size[0]), int(place[1] * size[1])
    box = (
        x,
        y,
        min(size[0], x + max(1, int(place[2] * size[0]))),
        min(size[1], y + max(1, int(place[3] * size[1]))),
    )
    photo = photo_of(size)
    for prepared in (photo_and_crop(photo, box, policy), photo_with_boxes(photo, [box, box], policy)):
        assert seen(prepared).size == prepared.sent_size
        assert all(side % policy.multiple_of == 0 for side in prepared.sent_size)
        assert prepared.sent_size[0] * prepared.sent_size[1] <= policy.max_pixels
        assert len(prepared.encoded) <= policy.max_bytes


def test_a_turned_photo_is_read_upright_and_a_large_one_is_reduced(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (3000, 1000), "navy").save(tmp_path / "turned.jpg", exif=exif)
    photo = read_photo(tmp_path / "turned.jpg")
    assert photo.image_size == (1000, 3000)
    assert photo.pixels.size == (683, 2048)


def test_a_missing_photo_fails_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(SampleFailure, match="No image at") as caught:
        read_photo(tmp_path / "none.jpg")
    assert caught.value.reason == "image_missing"

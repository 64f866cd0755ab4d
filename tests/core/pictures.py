"""A picture whose top left quarter tells whether it stands upright, and what became of it."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from grounding_assets.core.errors import SampleFailure
from grounding_assets.core.images.image_policy import ImagePolicy
from grounding_assets.core.images.prepared_image import PreparedImage, prepare_image

ORIENTATION = 0x0112
SIZE = (60, 40)
STORED_FOR = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How the pixels lie in a file that is shown upright by this EXIF orientation."""


def picture(size: tuple[int, int] = SIZE) -> Image.Image:
    """Green, its top left quarter red."""
    image = Image.new("RGB", size, (0, 160, 0))
    image.paste((255, 0, 0), (0, 0, size[0] // 2, size[1] // 2))
    return image


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    return tags


def decoded(prepared: PreparedImage) -> Image.Image:
    image = Image.open(io.BytesIO(prepared.encoded))
    image.load()
    return image


def assert_red_top_left(prepared: PreparedImage) -> None:
    image = decoded(prepared).convert("RGB")
    width, height = image.size
    pixels = np.asarray(image)
    red, *others = (pixels[height * y // 4, width * x // 4] for x, y in ((1, 1), (3, 1), (1, 3), (3, 3)))
    assert red[0] > 200 and red[1] < 60
    assert all(pixel[0] < 60 and pixel[1] > 120 for pixel in others)


def failure(path: Path, policy: ImagePolicy | None = None) -> SampleFailure:
    with pytest.raises(SampleFailure) as caught:
        prepare_image(path, policy or ImagePolicy())
    assert caught.value.attempts == 0
    return caught.value


def tiff_tag(kind: int, count: int, value: bytes) -> bytes:
    return b"Exif\0\0II*\0\x08\0\0\0\x01\0" + struct.pack("<HHI", ORIENTATION, kind, count) + value + bytes(4)

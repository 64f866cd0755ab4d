"""Image files of every kind, whole and damaged, through the embedded teacher's reader."""

import hashlib
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.images.image_file import MAX_PIXELS
from resources.local_teacher.pixels import read_image

PHOTOS = Path(__file__).resolve().parents[2] / "demo" / "images"
RED, WHITE = (255, 0, 0), (255, 255, 255)


def left_red() -> Image.Image:
    """80 x 40 pixels, the left half red, the right one blue."""
    image = Image.new("RGB", (80, 40), (0, 0, 255))
    image.paste(RED, (0, 0, 40, 40))
    return image


def save(image: Image.Image, path: Path, **options: Any) -> Path:
    image.save(path, **options)
    return path


def left_colour(path: Path) -> np.ndarray:
    pixels = read_image(path).pixels
    return pixels[pixels.shape[0] // 2, pixels.shape[1] // 15].astype(int)


def see_through() -> Image.Image:
    image = left_red().convert("RGBA")
    image.putalpha(0)
    return image


def animation(path: Path) -> Path:
    frames = [left_red(), Image.new("RGB", (80, 40), "green")]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    return path


def sixteen_bit(path: Path) -> Path:
    levels = np.zeros((40, 80), np.uint16)
    levels[:, :40] = 60000
    return save(Image.fromarray(levels), path)


KINDS: dict[str, tuple[Callable[[Path], Path], tuple[int, int, int]]] = {
    "JPEG": (lambda folder: save(left_red(), folder / "a.jpg", quality=95), RED),
    "JPEG, CMYK": (lambda folder: save(left_red().convert("CMYK"), folder / "a.jpg", quality=95), RED),
    "JPEG, grey": (lambda folder: save(left_red().convert("L"), folder / "a.jpg"), (76, 76, 76)),
    "JPEG without its suffix": (lambda folder: save(left_red(), folder / "photo", format="JPEG"), RED),
    "PNG": (lambda folder: save(left_red(), folder / "a.png"), RED),
    "PNG, palette": (lambda folder: save(left_red().quantize(4), folder / "a.png"), RED),
    "PNG, palette with a see-through colour": (
        lambda folder: save(left_red().quantize(2), folder / "a.png", transparency=b"\x00\x00"),
        WHITE,
    ),
    "PNG, see-through": (lambda folder: save(see_through(), folder / "a.png"), WHITE),
    "PNG, grey and see-through": (lambda folder: save(see_through().convert("LA"), folder / "a.png"), WHITE),
    "PNG, RGB with a see-through colour": (
        lambda folder: save(left_red(), folder / "a.png", transparency=RED),
        WHITE,
    ),
    "PNG, 1 bit": (
        lambda folder: save(left_red().getchannel("R").convert("1"), folder / "a.png"),
        WHITE,
    ),
    "PNG, 16 bit": (lambda folder: sixteen_bit(folder / "a.png"), WHITE),
    "TIFF, 16 bit": (lambda folder: sixteen_bit(folder / "a.tif"), WHITE),
    "TIFF, float": (
        lambda folder: save(
            Image.fromarray(np.eye(1, 2, dtype=np.float32)).resize((80, 40)), folder / "a.tif"
        ),
        WHITE,
    ),
    "GIF, animated": (lambda folder: animation(folder / "a.gif"), RED),
    "PNG, animated": (lambda folder: animation(folder / "a.png"), RED),
    "WebP, animated": (lambda folder: animation(folder / "a.webp"), RED),
    "WebP, see-through": (lambda folder: save(see_through(), folder / "a.webp", lossless=True), WHITE),
    "BMP": (lambda folder: save(left_red(), folder / "a.bmp"), RED),
}


@pytest.mark.parametrize(("make", "colour"), KINDS.values(), ids=KINDS.keys())
def test_kinds_of_files(tmp_path: Path, make: Callable[[Path], Path], colour: tuple[int, int, int]) -> None:
    path = make(tmp_path)
    image = read_image(path)
    assert image.image_size == (80, 40)
    assert image.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert image.pixels.shape == (40, 80, 3)
    assert image.pixels.dtype == np.uint8
    assert np.abs(left_colour(path) - colour).max() <= 12


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path: Path, suffix: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(left_red(), tmp_path / f"a.{suffix}", exif=exif)
    with Image.open(path) as stored:
        upright = ImageOps.exif_transpose(stored).convert("RGB")
    image = read_image(path)
    assert image.image_size == upright.size
    expected = np.asarray(upright).astype(int)
    corners = np.ix_((4, -4), (4, -4))
    assert np.abs(image.pixels[corners].astype(int) - expected[corners]).max() <= 12


def test_large_jpeg_keeps_its_size(tmp_path: Path) -> None:
    image = read_image(save(left_red().resize((6000, 3000)), tmp_path / "a.jpg"))
    assert image.image_size == (6000, 3000)
    assert image.pixels.shape == (320, 640, 3)
    assert np.abs(image.pixels[160, 40].astype(int) - RED).max() <= 12


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1)])
def test_narrow_pictures(tmp_path: Path, size: tuple[int, int]) -> None:
    assert read_image(save(Image.new("RGB", size, RED), tmp_path / "a.png")).image_size == size


def png(width: int, height: int, rest: bytes = b"\0\0\xff\xffIDAT") -> bytes:
    """A PNG that says it is that large, and ends where its pixels would begin."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header)) + rest
    )


JPEG = (PHOTOS / "coffee.jpg").read_bytes()
DAMAGED = {
    "empty": (b"", Reason.IMAGE_UNREADABLE),
    "text": (b"<html>404 Not Found</html>", Reason.IMAGE_UNREADABLE),
    "JPEG, first bytes": (JPEG[:20], Reason.IMAGE_UNREADABLE),
    "JPEG, half": (JPEG[: len(JPEG) // 2], Reason.IMAGE_UNREADABLE),
    "PNG, header alone": (png(10, 10, b""), Reason.IMAGE_UNREADABLE),
    "PNG, no pixels": (png(10, 10), Reason.IMAGE_UNREADABLE),
    "PNG, no width": (png(0, 10), Reason.IMAGE_UNREADABLE),
    "PNG, damaged chunk": (png(10, 10, b"\xff\xff\xff\xffIDATxx"), Reason.IMAGE_UNREADABLE),
    "PNG, too many pixels": (png(20_000, 20_000), Reason.IMAGE_TOO_LARGE),
    "PNG, one row too many": (png(MAX_PIXELS // 10 + 1, 10), Reason.IMAGE_TOO_LARGE),
    "PNG, as many pixels as allowed": (png(MAX_PIXELS // 10, 10), Reason.IMAGE_UNREADABLE),
}


@pytest.mark.parametrize(("content", "reason"), DAMAGED.values(), ids=DAMAGED.keys())
def test_damaged_files(tmp_path: Path, content: bytes, reason: Reason) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(SampleFailure, match=r"a\.jpg") as failure:
        read_image(path)
    assert failure.value.reason is reason


def test_every_cut_of_a_photo_is_a_failure_of_the_sample(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    small = save(left_red(), tmp_path / "whole.jpg").read_bytes()
    for length in range(0, len(small) - 2, 7):
        path.write_bytes(small[:length])
        with pytest.raises(SampleFailure) as failure:
            read_image(path)
        assert failure.value.reason is Reason.IMAGE_UNREADABLE


NOT_FILES = {
    "missing": ("nothing.jpg", Reason.IMAGE_MISSING),
    "below a file": ("file/a.jpg", Reason.IMAGE_MISSING),
    "folder": ("folder", Reason.IMAGE_UNREADABLE),
    "pipe": ("pipe", Reason.IMAGE_UNREADABLE),
    "link to nothing": ("link", Reason.IMAGE_MISSING),
    "name too long": ("a" * 5000, Reason.IMAGE_UNREADABLE),
    "name with NUL": ("a\0b", Reason.IMAGE_UNREADABLE),
    "name with a lone surrogate": ("a\ud800", Reason.IMAGE_UNREADABLE),
}


@pytest.mark.parametrize(("name", "reason"), NOT_FILES.values(), ids=NOT_FILES.keys())
def test_what_is_no_file(tmp_path: Path, name: str, reason: Reason) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(SampleFailure) as failure:
        read_image(tmp_path / name)
    assert failure.value.reason is reason

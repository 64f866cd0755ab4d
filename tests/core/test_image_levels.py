"""More than 8 bits a channel: every door to a picture shows the range of the data, not that of the container."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from grounding_assets.core.errors import Reason
from grounding_assets.core.images.crops import read_photo
from grounding_assets.core.images.image_policy import ImagePolicy
from grounding_assets.core.images.prepared_image import prepare_image
from grounding_assets.core.report.thumbnails import read_small
from resources.local_teacher.pixels import read_image
from tests.core.pictures import decoded, failure

COLOUR, COLOUR_AND_ALPHA, GREY, GREY_AND_ALPHA = 2, 6, 0, 4
"""Colour types of PNG."""


def png16(path: Path, levels: np.ndarray, colour_type: int) -> None:
    """Pillow cannot write colour of 16 bits."""
    height, width = levels.shape[:2]

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in levels)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def tiff16(path: Path, levels: np.ndarray, order: str) -> None:
    height, width, channels = levels.shape
    content = levels.astype(f"{order}u2").tobytes()
    behind = 8 + 2 + 12 * 9 + 4
    shorts = {256: width, 257: height, 259: 1, 262: 2, 277: channels}
    longs = {258: (3, channels, behind), 273: (4, 1, behind + 2 * channels), 278: (4, 1, height)}
    longs[279] = (4, 1, len(content))
    entries = {tag: struct.pack(order + "HIHH", 3, 1, value, 0) for tag, value in shorts.items()}
    entries |= {tag: struct.pack(order + "HII", *values) for tag, values in longs.items()}
    directory = b"".join(struct.pack(order + "H", tag) + entries[tag] for tag in sorted(entries))
    start = b"II*\0" if order == "<" else b"MM\0*"
    path.write_bytes(
        start
        + struct.pack(order + "IH", 8, len(entries))
        + directory
        + struct.pack(order + "I", 0)
        + struct.pack(order + f"{channels}H", *[16] * channels)
        + content
    )


def ramp(low: float, high: float, channels: int = 1) -> np.ndarray:
    levels = np.linspace(low, high, 60 * 40).reshape(40, 60)
    return levels if channels == 1 else np.repeat(levels[..., None], channels, axis=2)


def with_alpha(levels: np.ndarray) -> np.ndarray:
    return np.concatenate([np.atleast_3d(levels), np.full((40, 60, 1), 65535)], axis=2)


def grey(levels: np.ndarray, dtype: str, name: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        Image.fromarray(levels.astype(dtype)).save(folder / name)
        return folder / name

    return write


def with_defects(levels: np.ndarray, *defects: float) -> np.ndarray:
    """A picture large enough that a few pixels are no part of it."""
    large = np.repeat(np.repeat(levels, 10, axis=0), 10, axis=1)
    large[0, : len(defects)] = defects
    return large


def written(write: Callable[..., None], *arguments: object) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        write(folder / "image", *arguments)
        return folder / "image"

    return make


RAMPS = {
    "12 bits in PNG": grey(ramp(0, 4095), "u2", "a.png"),
    "10 bits in TIFF": grey(ramp(0, 1023), "u2", "a.tif"),
    "a dark scene in 16 bits": grey(ramp(0, 900), "u2", "a.png"),
    "a bright scene in 16 bits": grey(ramp(40_000, 65_535), "u2", "a.png"),
    "16 bits": grey(ramp(0, 65_535), "u2", "a.png"),
    "12 bits with a defect pixel": grey(with_defects(ramp(0, 4095), 65_535), "u2", "a.png"),
    "12 bits in a big-endian TIFF": written(
        lambda path: Image.frombytes("I;16B", (60, 40), ramp(0, 4095).astype(">u2").tobytes()).save(
            path, "TIFF"
        )
    ),
    "32 bits": grey(ramp(0, 100_000), "i4", "a.tif"),
    "floats from 0 to 1": grey(ramp(0, 1), "f4", "a.tif"),
    "floats from 0 to 255": grey(ramp(0, 255), "f4", "a.tif"),
    "small floats": grey(ramp(0, 0.01), "f4", "a.tif"),
    "negative floats": grey(ramp(-2, -1), "f4", "a.tif"),
    "floats with NaN": grey(with_defects(ramp(0, 1), *[np.nan] * 9), "f4", "a.tif"),
    "floats with infinities": grey(with_defects(ramp(0, 1), np.inf, -np.inf), "f4", "a.tif"),
    "colour of 12 bits in PNG": written(png16, ramp(0, 4095, 3), COLOUR),
    "colour of 16 bits in PNG": written(png16, ramp(0, 65_535, 3), COLOUR),
    "colour and alpha of 12 bits": written(png16, with_alpha(ramp(0, 4095, 3)), COLOUR_AND_ALPHA),
    "grey and alpha of 12 bits": written(png16, with_alpha(ramp(0, 4095)), GREY_AND_ALPHA),
    "colour of 12 bits in TIFF": written(tiff16, ramp(0, 4095, 3), "<"),
    "colour of 12 bits in a big-endian TIFF": written(tiff16, ramp(0, 4095, 3), ">"),
}
"""Files whose levels rise evenly from the top left to the bottom right."""

DOORS: dict[str, Callable[[Path], Image.Image]] = {
    "a model": lambda path: decoded(prepare_image(path, ImagePolicy())),
    "verification": lambda path: read_photo(path).pixels,
    "the report": lambda path: read_small(path, 60)[0],
    "the embedded teacher": lambda path: Image.fromarray(read_image(path).pixels),
}


@pytest.mark.parametrize("see", DOORS.values(), ids=DOORS)
@pytest.mark.parametrize("make", RAMPS.values(), ids=RAMPS)
def test_the_range_of_the_data_is_shown_from_black_to_white(
    tmp_path: Path, make: Callable[[Path], Path], see: Callable[[Path], Image.Image]
) -> None:
    shown = np.asarray(see(make(tmp_path)).convert("L").resize((60, 40)), dtype=int)
    expected = ramp(0, 255)
    # of 12 bits of grey with alpha, 16 levels are kept
    assert np.abs(shown[1:] - expected[1:]).max() <= 17


CONSTANT = {
    "black": (np.zeros((40, 60)), "u2", 0),
    "white": (np.full((40, 60), 65_535), "u2", 255),
    "floats": (np.full((40, 60), 0.5), "f4", 128),
    "floats above 1": (np.full((40, 60), 300), "f4", 255),
    "negative floats": (np.full((40, 60), -1), "f4", 0),
}


@pytest.mark.parametrize(("levels", "dtype", "shown"), CONSTANT.values(), ids=CONSTANT)
def test_a_single_level_is_shown_as_the_container_says(
    tmp_path: Path, levels: np.ndarray, dtype: str, shown: int
) -> None:
    sent = decoded(prepare_image(grey(levels, dtype, "a.tif")(tmp_path), ImagePolicy()))
    assert sent.convert("L").getextrema() == (shown, shown)


def test_a_small_thing_on_a_plain_ground_is_seen(tmp_path: Path) -> None:
    levels = np.full((1000, 1000), 100)
    levels[500:505, 500:505] = 4095
    sent = decoded(prepare_image(grey(levels, "u2", "a.png")(tmp_path), ImagePolicy()))
    assert sent.convert("L").getextrema() == (0, 255)


def test_colours_keep_their_proportions(tmp_path: Path) -> None:
    levels = np.zeros((40, 60, 3))
    levels[:, 20:] = (4095, 2048, 0)
    png16(tmp_path / "a.png", levels, COLOUR)
    sent = decoded(prepare_image(tmp_path / "a.png", ImagePolicy()))
    pixel = np.asarray(sent)[20, 40].astype(int)
    assert np.abs(pixel - (255, 128, 0)).max() <= 4


def test_without_any_number_there_is_no_picture(tmp_path: Path) -> None:
    path = grey(np.full((40, 60), np.nan), "f4", "a.tif")(tmp_path)
    error = failure(path)
    assert error.reason is Reason.IMAGE_UNREADABLE and "number" in str(error)

"""From image files of every kind to what is sent: upright, RGB, of the right size."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from grounding_assets.core.errors import Reason
from grounding_assets.core.images.image_policy import ImagePolicy
from grounding_assets.core.images.prepared_image import declared_or_header_size, prepare_image
from tests.core.pictures import (
    ORIENTATION,
    SIZE,
    STORED_FOR,
    assert_red_top_left,
    decoded,
    exif,
    failure,
    picture,
    tiff_tag,
)


@pytest.mark.parametrize(("name", "mime"), [("a.jpg", "jpeg"), ("a.png", "png"), ("a.webp", "webp")])
def test_a_file_that_needs_no_change_is_sent_as_it_is(tmp_path: Path, name: str, mime: str) -> None:
    path = tmp_path / name
    picture().save(path)
    prepared = prepare_image(path, ImagePolicy())
    assert prepared.encoded == path.read_bytes() and prepared.as_is
    assert prepared.mime_type == f"image/{mime}"
    assert prepared.sent_size == prepared.image_size == SIZE


@pytest.mark.parametrize("name", ["a.gif", "a.tiff", "a.bmp", "a.ppm", "a.jp2", "a.avif"])
def test_other_formats_become_jpeg(tmp_path: Path, name: str) -> None:
    picture().save(tmp_path / name)
    prepared = prepare_image(tmp_path / name, ImagePolicy())
    assert (prepared.mime_type, prepared.as_is, decoded(prepared).format) == ("image/jpeg", False, "JPEG")
    assert_red_top_left(prepared)


def test_the_content_counts_and_not_the_extension(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    picture().save(path, "PNG")
    assert prepare_image(path, ImagePolicy()).mime_type == "image/png"


def test_a_type_that_the_endpoint_does_not_take_is_recoded(tmp_path: Path) -> None:
    picture().save(tmp_path / "a.webp")
    prepared = prepare_image(tmp_path / "a.webp", ImagePolicy(mime_types=frozenset({"image/jpeg"})))
    assert prepared.mime_type == "image/jpeg" and not prepared.as_is


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tiff", "a.avif"])
@pytest.mark.parametrize("orientation", STORED_FOR)
@pytest.mark.parametrize("policy", [ImagePolicy(), ImagePolicy(max_side_px=30)], ids=["full", "reduced"])
def test_exif_orientation_is_applied(
    tmp_path: Path, name: str, orientation: int, policy: ImagePolicy
) -> None:
    turn = STORED_FOR[orientation]
    stored = picture() if turn is None else picture().transpose(turn)
    stored.save(tmp_path / name, exif=exif(orientation))
    prepared = prepare_image(tmp_path / name, policy)
    assert prepared.image_size == SIZE
    assert prepared.sent_size == decoded(prepared).size == policy.sent_size(*SIZE)
    assert prepared.as_is or decoded(prepared).getexif().get(ORIENTATION, 1) == 1
    assert declared_or_header_size(tmp_path / name, None) == SIZE
    assert_red_top_left(prepared)


def test_exif_behind_the_pixels_of_a_png_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    picture().transpose(Image.Transpose.ROTATE_90).save(path)
    raw = path.read_bytes()
    chunk = b"eXIf" + tiff_tag(3, 1, struct.pack("<HH", 6, 0)).removeprefix(b"Exif\0\0")
    block = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    path.write_bytes(raw[:-12] + block + raw[-12:])
    prepared = prepare_image(path, ImagePolicy())
    assert prepared.image_size == SIZE
    assert_red_top_left(prepared)


def grey16(top: int) -> Image.Image:
    return Image.fromarray(np.linspace(0, top, 60 * 40).reshape(40, 60).astype(np.uint16))


def see_through(mode: str) -> Image.Image:
    image = picture().convert("RGBA")
    image.putalpha(0)
    return image.convert(mode)


MODES: dict[str, tuple[Any, str, dict[str, Any], tuple[int, int]]] = {
    # image, format, options of saving, lowest and highest level of what is sent
    "16 bits": (grey16(65535), "PNG", {}, (0, 255)),
    "16 dark bits": (grey16(512), "PNG", {}, (0, 255)),
    "16 bits in TIFF": (grey16(65535), "TIFF", {}, (0, 255)),
    "big-endian 16 bits": (
        Image.frombytes("I;16B", (2, 1), b"\x00\xff\xff\x00"),
        "TIFF",
        {},
        (0, 255),
    ),
    "32-bit floats": (
        Image.fromarray(np.linspace(0, 1, 2400, dtype=np.float32).reshape(40, 60)),
        "TIFF",
        {},
        (0, 255),
    ),
    "1 bit": (picture().convert("1"), "PNG", {}, (0, 255)),
    "grey": (Image.linear_gradient("L"), "JPEG", {"quality": 95}, (0, 255)),
    "grey and alpha": (see_through("LA"), "PNG", {}, (255, 255)),
    "colour and alpha": (see_through("RGBA"), "PNG", {}, (255, 255)),
    "alpha in WebP": (see_through("RGBA"), "WEBP", {}, (255, 255)),
    "palette with transparency": (picture().quantize(8), "PNG", {"transparency": bytes(8)}, (255, 255)),
    "RGB with a see-through colour": (
        Image.new("RGB", (60, 40)),
        "PNG",
        {"transparency": (0, 0, 0)},
        (255, 255),
    ),
    "CMYK": (Image.new("CMYK", (60, 40), (0, 0, 0, 0)), "JPEG", {}, (255, 255)),
    "inks of CMYK": (Image.new("CMYK", (60, 40), (0, 0, 0, 255)), "TIFF", {}, (0, 0)),
}


@pytest.mark.parametrize(("image", "format_name", "options", "levels"), MODES.values(), ids=MODES)
def test_every_mode_becomes_rgb(
    tmp_path: Path, image: Image.Image, format_name: str, options: dict[str, Any], levels: tuple[int, int]
) -> None:
    path = tmp_path / "image"
    image.save(path, format_name, **options)
    sent = decoded(prepare_image(path, ImagePolicy()))
    assert sent.mode == "RGB" and sent.size == image.size
    low, high = levels
    pixels = np.asarray(sent.convert("L"), dtype=int)
    assert abs(pixels.min() - low) <= 6 and abs(pixels.max() - high) <= 6


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png", "a.mpo", "a.tiff"])
def test_of_several_frames_the_first_is_sent(tmp_path: Path, name: str) -> None:
    others = [Image.new("RGB", SIZE, "blue") for _ in range(3)]
    picture().save(tmp_path / name, save_all=True, append_images=others)
    prepared = prepare_image(tmp_path / name, ImagePolicy())
    assert not prepared.as_is and getattr(decoded(prepared), "n_frames", 1) == 1
    assert_red_top_left(prepared)


def test_a_very_wide_image_is_reduced(tmp_path: Path) -> None:
    picture((30_000, 400)).save(tmp_path / "wide.jpg")
    prepared = prepare_image(tmp_path / "wide.jpg", ImagePolicy())
    assert prepared.image_size == (30_000, 400) and prepared.sent_size == (4096, 55)
    assert_red_top_left(prepared)


def test_a_small_image_is_enlarged_to_what_the_model_needs(tmp_path: Path) -> None:
    picture((20, 10)).save(tmp_path / "small.png")
    prepared = prepare_image(tmp_path / "small.png", ImagePolicy(min_side_px=56, multiple_of=28))
    assert prepared.image_size == (20, 10) and prepared.sent_size == (112, 56) == decoded(prepared).size
    assert_red_top_left(prepared)


@pytest.mark.parametrize("max_bytes", [135_000, 30_000])
def test_the_byte_limit_is_kept_by_quality_then_size(tmp_path: Path, max_bytes: int) -> None:
    Image.effect_noise((1000, 800), 90).convert("RGB").save(tmp_path / "noise.png")
    prepared = prepare_image(tmp_path / "noise.png", ImagePolicy(max_bytes=max_bytes))
    assert len(prepared.encoded) <= max_bytes
    assert prepared.sent_size == decoded(prepared).size
    assert prepared.image_size == (1000, 800)


def test_what_cannot_fit_the_byte_limit_is_too_large(tmp_path: Path) -> None:
    Image.effect_noise((1, 4000), 90).convert("RGB").save(tmp_path / "thin.png")
    error = failure(tmp_path / "thin.png", ImagePolicy(max_bytes=700))
    assert error.reason is Reason.IMAGE_TOO_LARGE and "700 bytes" in str(error)


def test_where_no_size_can_be_read_the_declared_one_counts(tmp_path: Path) -> None:
    assert declared_or_header_size(tmp_path / "missing.jpg", (64, 48)) == (64, 48)
    assert declared_or_header_size(tmp_path / "missing.jpg", None) == (1920, 1080)

"""From image files of every kind to what is sent: upright, RGB, of the right size, in bounded memory."""

import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.images import (
    MAX_PIXELS,
    ImagePolicy,
    PreparedImage,
    declared_or_header_size,
    prepare_image,
)
from tests.corpus import PROJECT

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


def tiff_tag(kind: int, count: int, value: bytes) -> bytes:
    return b"Exif\0\0II*\0\x08\0\0\0\x01\0" + struct.pack("<HHI", ORIENTATION, kind, count) + value + bytes(4)


SENSELESS_EXIF = {
    "orientation 0": tiff_tag(3, 1, struct.pack("<HH", 0, 0)),
    "orientation 9": tiff_tag(3, 1, struct.pack("<HH", 9, 0)),
    "orientation 65535": tiff_tag(3, 1, struct.pack("<HH", 65535, 0)),
    "text": tiff_tag(2, 2, b"6\0\0\0"),
    "bytes": tiff_tag(7, 1, b"\6\0\0\0"),
    "a fraction of nothing": tiff_tag(5, 1, bytes(4)),
    "garbage": b"Exif\0\0garbage",
    "cut": b"Exif\0\0II*\0",
    "offset behind the end": b"Exif\0\0II*\0\xff\xff\xff\xff",
    "four billion entries": tiff_tag(3, 0xFFFFFFFF, bytes(4)),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
@pytest.mark.parametrize("tags", SENSELESS_EXIF.values(), ids=SENSELESS_EXIF)
def test_senseless_exif_leaves_the_image_as_stored(tmp_path: Path, name: str, tags: bytes) -> None:
    picture().save(tmp_path / name, exif=tags)
    prepared = prepare_image(tmp_path / name, ImagePolicy())
    assert prepared.image_size == prepared.sent_size == SIZE
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
    "16 dark bits": (grey16(512), "PNG", {}, (0, 2)),
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


FORMATS = ["a.png", "a.jpg", "a.webp", "a.gif", "a.tiff", "a.bmp", "a.jp2", "a.avif"]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("part", [0.02, 0.5, 0.8])
def test_a_truncated_file_is_unreadable(tmp_path: Path, name: str, part: float) -> None:
    noise = Image.effect_noise((120, 90), 80).convert("RGB")
    noise.save(tmp_path / name)
    raw = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(raw[: int(len(raw) * part)])
    assert failure(tmp_path / name).reason is Reason.IMAGE_UNREADABLE
    size = declared_or_header_size(tmp_path / name, (7, 9))
    assert size in ((120, 90), (7, 9))


def test_what_is_no_image_is_unreadable_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("not an image\n" * 100)
    (tmp_path / "page.eps").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    )
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    (tmp_path / "device.jpg").symlink_to("/dev/zero")
    unreadable = ["empty.jpg", "text.jpg", "page.eps", "pipe.jpg", "device.jpg", "x" * 300, "."]
    for name in [*unreadable, "/dev/zero", "/dev/null", "/proc/self/mem"]:
        error = failure(tmp_path / name)
        assert error.reason is Reason.IMAGE_UNREADABLE, name
        assert str(tmp_path / name)[:100] in str(error)
    for name in ["missing.jpg", "text.jpg/x.jpg", "loop.jpg"]:
        assert failure(tmp_path / name).reason is Reason.IMAGE_MISSING, name


def test_a_huge_file_is_refused_without_being_read(tmp_path: Path) -> None:
    with (tmp_path / "sparse.png").open("wb") as stream:
        stream.truncate(300 << 20)
    assert failure(tmp_path / "sparse.png").reason is Reason.IMAGE_TOO_LARGE


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


def test_a_decompression_bomb_is_refused(tmp_path: Path) -> None:
    for side in (9_500, 15_000):
        assert side**2 > MAX_PIXELS
        Image.new("1", (side, side)).save(tmp_path / "bomb.png")
        assert failure(tmp_path / "bomb.png").reason is Reason.IMAGE_TOO_LARGE


def test_a_large_image_costs_at_most_twelve_bytes_a_pixel(tmp_path: Path) -> None:
    """Measured in a process of its own, which knows its own peak."""
    side = 4000
    for mode in ("RGBA", "P", "1", "LA"):
        Image.new(mode, (side, side)).save(tmp_path / f"{mode}.png")
        program = (
            "import sys, resource; from pathlib import Path\n"
            "from grounding_assets.core.images import *\n"
            "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024\n"
            "before = peak(); prepare_image(Path(sys.argv[1]), ImagePolicy(max_side_px=1000)); print(peak() - before)"
        )
        command = [sys.executable, "-c", program, str(tmp_path / f"{mode}.png")]
        run = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
        assert int(run.stdout) < 12 * side**2 + (16 << 20), mode


def test_where_no_size_can_be_read_the_declared_one_counts(tmp_path: Path) -> None:
    assert declared_or_header_size(tmp_path / "missing.jpg", (64, 48)) == (64, 48)
    assert declared_or_header_size(tmp_path / "missing.jpg", None) == (1920, 1080)

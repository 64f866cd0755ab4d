"""Image files that are damaged, no images at all, or made to hurt: each fails at once, in bounded memory."""

import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from PIL import Image

from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.images.crops import read_photo
from grounding_assets.core.images.image_file import DECODED, MAX_PIXELS, ImageFile
from grounding_assets.core.images.prepared_image import (
    ImagePolicy,
    declared_or_header_size,
    prepare_image,
)
from grounding_assets.core.report.thumbnails import read_small
from resources.local_teacher.pixels import read_image
from tests.core.pictures import SIZE, STORED_FOR, assert_red_top_left, exif, failure, picture, tiff_tag
from tests.corpus import PROJECT

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


def _png_with_rows(rows: int) -> bytes:
    """A PNG of 120 x 90 by its header."""
    chunks = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in (
            (b"IHDR", struct.pack(">IIBBBBB", 120, 90, 8, 2, 0, 0, 0)),
            (b"IDAT", zlib.compress(b"".join(b"\0" + bytes(range(120)) * 3 for _ in range(rows)))),
            (b"IEND", b""),
        )
    )
    return b"\x89PNG\r\n\x1a\n" + chunks


def _damaged(name: str) -> bytes:
    stream = io.BytesIO()
    Image.effect_noise((320, 240), 80).convert("RGB").save(stream, name.partition(" ")[0])
    raw = stream.getvalue()
    half = raw[: len(raw) // 2]
    return half + (b"\xff\xd9" if name.endswith("ended") else bytes(len(raw) - len(half)))


@pytest.mark.parametrize("name", ["JPEG zeros", "WEBP zeros", "AVIF zeros", "JPEG ended", "PNG rows"])
def test_damage_that_decodes_silently_is_unreadable(tmp_path: Path, name: str) -> None:
    raw = _png_with_rows(60) if name == "PNG rows" else _damaged(name)
    (tmp_path / "a").write_bytes(raw)
    with ImageFile(raw, tmp_path / "a") as file, pytest.raises(SampleFailure) as failed:
        file.upright_rgb()
    assert failed.value.reason is Reason.IMAGE_UNREADABLE


@pytest.mark.parametrize("where", [(0, 0), (40, 0), (0, 40), (30, 30)])
def test_grey_and_black_margins_are_no_damage(tmp_path: Path, where: tuple[int, int]) -> None:
    canvas = Image.new("RGB", (360, 280), (128, 128, 128))
    canvas.paste(Image.effect_noise((320, 240), 80).convert("RGB"), where)
    for name, picture_ in (("a.jpg", canvas), ("a.png", Image.new("RGB", (120, 90)))):
        picture_.save(tmp_path / name)
        with ImageFile((tmp_path / name).read_bytes(), tmp_path / name) as file:
            assert file.upright_rgb().size == picture_.size
    with ImageFile(_png_with_rows(90), tmp_path / "whole") as file:
        assert file.upright_rgb().size == (120, 90)


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_photo(tmp_path: Path) -> None:
    small = io.BytesIO()
    picture((16, 16)).save(small, "JPEG", quality=20)
    thumbnail = small.getvalue()
    tags = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<HI", 0, 14)
    tags += struct.pack("<HHHIIHHIII", 2, 0x201, 4, 1, 44, 0x202, 4, 1, len(thumbnail), 0) + thumbnail
    path = tmp_path / "photo.jpg"
    Image.effect_noise((640, 480), 80).convert("RGB").save(path, exif=tags)
    assert prepare_image(path, ImagePolicy()).as_is
    raw = path.read_bytes()
    path.write_bytes(raw[: raw.index(b"\xff\xd9") + 900])
    assert failure(path).reason is Reason.IMAGE_UNREADABLE


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


def test_a_decompression_bomb_is_refused(tmp_path: Path) -> None:
    side = 16_385
    assert side**2 > MAX_PIXELS
    Image.new("1", (side, side)).save(tmp_path / "bomb.png")
    assert failure(tmp_path / "bomb.png").reason is Reason.IMAGE_TOO_LARGE


@pytest.mark.parametrize(("mode", "bytes_a_pixel"), [("RGB", 4), ("RGBA", 4), ("P", 1), ("I;16", 2)])
def test_a_large_image_is_held_once(tmp_path: Path, mode: str, bytes_a_pixel: int) -> None:
    """Measured in a process of its own, which knows its own peak."""
    side = 4000
    Image.new(mode, (side, side)).save(tmp_path / "large.png")
    program = (
        "import sys, resource; from pathlib import Path\n"
        "from grounding_assets.core.images.prepared_image import *\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024\n"
        "before = peak(); prepare_image(Path(sys.argv[1]), ImagePolicy(max_side_px=1000)); print(peak() - before)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "large.png")]
    run = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert int(run.stdout) < bytes_a_pixel * side**2 + (90 << 20)


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_a_photo_of_108_megapixels_is_read_reduced(tmp_path: Path, name: str) -> None:
    size, turn = (12_000, 9_000), STORED_FOR[6]
    assert turn is not None
    picture(size).transpose(turn).save(tmp_path / name, exif=exif(6), compress_level=1)
    prepared = prepare_image(tmp_path / name, ImagePolicy(max_side_px=1600))
    assert prepared.image_size == size and prepared.sent_size == (1600, 1200)
    assert_red_top_left(prepared)
    if name == "a.png":
        return  # the other doors read it in the same way, and decoding takes seconds
    assert read_photo(tmp_path / name).image_size == size
    assert read_small(tmp_path / name, 400)[1] == size
    assert read_image(tmp_path / name).image_size == size


def test_images_decoded_side_by_side_stay_within_a_budget(tmp_path: Path) -> None:
    """Six threads, each with 36 megapixels of colour in a small file: 860 MB without a budget."""
    side, threads = 6000, 6
    Image.new("RGB", (side, side), "red").save(tmp_path / "small.png")
    assert (tmp_path / "small.png").stat().st_size < 1 << 19
    program = (
        "import sys, resource; from pathlib import Path; from concurrent.futures import ThreadPoolExecutor\n"
        "from grounding_assets.core.images.prepared_image import *\n"
        "from grounding_assets.core.images.image_file import DECODED\n"
        "path, free = Path(sys.argv[1]), DECODED.free\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024\n"
        f"before, pool = peak(), ThreadPoolExecutor({threads})\n"
        f"work = [pool.submit(prepare_image, path, ImagePolicy(max_side_px=500)) for _ in range({threads})]\n"
        f"assert all(one.result().image_size == ({side}, {side}) for one in work)\n"
        "assert DECODED.free == free; print(peak() - before)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "small.png")]
    run = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert int(run.stdout) < 3 * 4 * side**2 + (150 << 20), "three at a time, and what surrounds them"


def test_a_damaged_file_gives_its_room_back(tmp_path: Path) -> None:
    Image.effect_noise((400, 300), 80).convert("RGB").save(tmp_path / "a.png", exif=exif(6))
    raw = (tmp_path / "a.png").read_bytes()
    free = DECODED.free
    for part in (0.5, 0.9):
        (tmp_path / "cut.png").write_bytes(raw[: int(len(raw) * part)])
        assert failure(tmp_path / "cut.png").reason is Reason.IMAGE_UNREADABLE
        assert DECODED.free == free


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
            "is a pointer of Git LFS, not the image",
        ),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99), "is HEIC, which is not read. Convert it to JPEG"),
        (b"\n<!DOCTYPE html><html>Not found</html>", "is a web page"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "is SVG"),
        (b'{"error": "expired"}', "is text, not an image"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "is text, not an image"),
        (b"%PDF-1.7\n", "is PDF"),
        (b"data:image/jpeg;base64,/9j/4AAQ", "as text (base64)"),
        (b"\0\0\0\x20ftypisom\0\0\2\0", "is a video"),
        (b"nothing known", "is not an image that can be read."),
    ],
)
def test_a_file_that_is_no_image_is_called_what_it_is(tmp_path: Path, raw: bytes, words: str) -> None:
    (tmp_path / "a.jpg").write_bytes(raw)
    failed = failure(tmp_path / "a.jpg")
    assert failed.reason == Reason.IMAGE_UNREADABLE and words in str(failed)

"""Photos that EXIF turns, and images embedded: what a loader sees that opens a file as it is."""

import io
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from PIL import Image

from grounding_assets.core.exports import export
from grounding_assets.core.exports.export import WRITERS
from grounding_assets.core.spec.export_settings import ExportSpec
from tests.core.pictures import SIZE, STORED_FOR, exif, picture
from tests.exports.record_strategies import one_expression, one_record

BOX = [0, 0, SIZE[0] // 2, SIZE[1] // 2]
"""Of the red quarter, in the upright picture."""
TURNED = [n for n in STORED_FOR if n > 1]


def photo(folder: Path, orientation: int, suffix: str = ".jpg") -> str:
    name = f"{orientation}{suffix}"
    turn = STORED_FOR[orientation]
    stored = picture() if turn is None else picture().transpose(turn)
    stored.save(folder / name, exif=exif(orientation), quality=95)
    return name


def row(path: str, caption: str = "a red quarter"):
    expressions = [one_expression(caption, 0, [BOX])]
    return one_record(
        image_path=path,
        image_id=path,
        width=SIZE[0],
        height=SIZE[1],
        cleaned_caption=caption,
        expressions=expressions,
    )


def as_a_plain_loader(image: Image.Image, box: list[int]) -> np.ndarray:
    """The pixels in the box, as a loader without EXIF crops them."""
    return np.asarray(image.convert("RGB"))[box[1] : box[3], box[0] : box[2]].reshape(-1, 3).mean(axis=0)


def assert_red(pixels: np.ndarray) -> None:
    assert pixels[0] > 200 and pixels[1] < 60


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_upright_copies_show_every_loader_what_the_boxes_are_of(tmp_path, suffix):
    names = [photo(tmp_path, orientation, suffix) for orientation in STORED_FOR]
    out = tmp_path / "out"
    report = export(
        [row(name) for name in names], out, "odvg", ExportSpec(upright_copies=True), image_root=tmp_path
    )
    assert report.notes["images that EXIF turned, written upright beside this"] == len(TURNED)
    lines = [json.loads(line) for line in (out / "train.jsonl").read_text().splitlines()]
    for line, name in zip(lines, names, strict=True):
        image = Image.open(tmp_path / line["filename"])
        assert image.size == SIZE
        assert_red(as_a_plain_loader(image, line["grounding"]["regions"][0]["bbox"]))
        assert Path(line["filename"]).stem == Path(name).stem
    assert lines[0]["filename"] == names[0]


def test_turned_photos_are_counted_once_each_and_said_in_the_card(tmp_path):
    rows = [
        row(photo(tmp_path, orientation), caption) for orientation in (1, 6, 8) for caption in ("a b", "a c")
    ]
    report = export([*rows, row("missing.jpg")], tmp_path / "out", "coco", image_root=tmp_path)
    told = {what.split(",")[0].split(":")[0]: count for what, count in report.notes.items()}
    assert told == {"images that EXIF turns": 2, "images that could not be opened": 1}
    card = (tmp_path / "out" / "README.md").read_text()
    assert (
        "| images that EXIF turns, which some loaders show lying: upright_copies=true writes upright copies | 2 |"
        in card
    )


def test_a_long_header_does_not_hide_the_orientation(tmp_path):
    with_comment = io.BytesIO()
    picture().transpose(Image.Transpose.ROTATE_90).save(with_comment, "JPEG", exif=exif(6))
    raw = with_comment.getvalue()
    segment = b"\xff\xfe\xff\xff" + b"x" * 65533
    (tmp_path / "long.jpg").write_bytes(raw[:2] + segment * 8 + raw[2:])
    report = export([row("long.jpg")], tmp_path / "out", "odvg", image_root=tmp_path)
    assert sum(report.notes.values()) == 1 and "images that EXIF turns" in str(report.notes)


def test_a_turned_photo_that_cannot_be_decoded_is_left_out_if_copies_are_wanted(tmp_path):
    whole = (tmp_path / photo(tmp_path, 6)).read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[:-60])
    rows = [row("6.jpg"), row("cut.jpg")]
    report = export(rows, tmp_path / "out", "odvg", ExportSpec(upright_copies=True), image_root=tmp_path)
    assert report.splits["train"].samples == 1
    assert report.left_out["samples whose image cannot be used (image_unreadable)"] == 1


@pytest.mark.parametrize("fmt", WRITERS)
def test_every_format_names_the_copy_and_a_later_export_takes_it_away(tmp_path, fmt):
    name = photo(tmp_path, 6)
    chosen = ExportSpec(upright_copies=True)
    report = export([row(name)], tmp_path / "out", fmt, chosen, image_root=tmp_path)
    [copy] = (tmp_path / "out" / "upright").rglob("*.jpg")
    files = (file for file in (tmp_path / "out").rglob("*") if file.is_file() and file != copy)
    content = b"".join(file.read_bytes() for file in files)
    assert str(copy).encode() in content
    assert "upright" in report.files
    export([row(name)], tmp_path / "out", fmt, image_root=tmp_path)
    assert not copy.exists()


def test_embedded_images_are_upright_and_missing_ones_leave_their_samples_out(tmp_path):
    names = [photo(tmp_path, 1), photo(tmp_path, 6)]
    rows = [row(name) for name in (*names, "missing.jpg")]
    settings = ExportSpec(embed_images=True, upright_copies=True)
    report = export(rows, tmp_path / "out", "parquet", settings, image_root=tmp_path)
    table = pyarrow.parquet.read_table(tmp_path / "out" / "train.parquet").to_pylist()
    assert [loaded["image"]["path"] for loaded in table] == names
    for loaded in table:
        assert_red(as_a_plain_loader(Image.open(io.BytesIO(loaded["image"]["bytes"])), BOX))
    assert table[0]["image"]["bytes"] == (tmp_path / names[0]).read_bytes()
    assert report.left_out["samples whose image cannot be used (image_missing)"] == 1

"""Small photos within a budget, and the contact sheet."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from grounding_assets.core.report import contact_sheet
from grounding_assets.core.report.palette import PALETTE
from grounding_assets.core.report.thumbnails import Photo, PhotoSize, fitting_size, in_order, small_photo
from tests.corpus import CORPUS, coco24_gold, needs_corpus
from tests.report.generated import HEIGHT, WIDTH, annotated, photo_files, records
from tests.report.showcase import PHRASES, showcase_records, write_photos


def decoded(jpeg: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(jpeg))
    assert image.format == "JPEG"
    image.load()
    return image


def test_a_photo_is_shrunk_and_keeps_its_frame(tmp_path: Path) -> None:
    photo = small_photo(photo_files(tmp_path, 1)[0], PhotoSize(320, 70))
    assert photo.image_size == (WIDTH, HEIGHT)
    assert decoded(photo.jpeg).size == (320, 240)


def test_a_small_photo_is_not_enlarged(tmp_path: Path) -> None:
    Image.new("RGB", (50, 30)).save(tmp_path / "p.png")
    assert decoded(small_photo(tmp_path / "p.png", PhotoSize(320, 70)).jpeg).size == (50, 30)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_turned_upright(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.new("RGB", (400, 200), "black")
    stored.save(tmp_path / "p.jpg", exif=exif)
    photo = small_photo(tmp_path / "p.jpg", PhotoSize(100, 70))
    assert photo.image_size == ((200, 400) if orientation >= 5 else (400, 200))
    assert decoded(photo.jpeg).size == ((50, 100) if orientation >= 5 else (100, 50))
    assert not decoded(photo.jpeg).getexif()


@pytest.mark.parametrize("content", [None, b"", b"not an image", b"\xff\xd8\xff\xe0 cut"])
def test_a_photo_that_cannot_be_read_says_why(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "p.jpg"
    if content is not None:
        path.write_bytes(content)
    photo = small_photo(path, PhotoSize(100, 70))
    assert photo.jpeg == b""
    assert str(path) in photo.trouble


def test_more_photos_are_made_smaller_until_they_fit(tmp_path: Path) -> None:
    files = photo_files(tmp_path, 2)
    budget_bytes = 300_000
    sizes = []
    for copies in (1, 4, 16):
        sizes.append(fitting_size(files * copies, 640, budget_bytes))
        assert sum(len(small_photo(path, sizes[-1]).jpeg) for path in files) * copies <= budget_bytes
    assert sizes[0].longest_px > sizes[1].longest_px > sizes[2].longest_px


def test_no_photos_take_the_size_asked_for() -> None:
    assert fitting_size([], 500, 1).longest_px == 500


def test_photos_come_in_order_and_only_a_few_ahead() -> None:
    begun = []

    def make(path: Path) -> Photo:
        begun.append(path)
        return Photo(path.name.encode(), None)

    made = in_order(make, (Path(str(n)) for n in range(1000)), threads=4)
    assert next(made).jpeg == b"0"
    assert len(begun) <= 20
    assert [photo.jpeg for photo in made] == [str(n).encode() for n in range(1, 1000)]


def test_a_contact_sheet_shows_boxes_where_they_are(tmp_path: Path) -> None:
    write_photos(tmp_path)
    sheet = contact_sheet(showcase_records(), lambda path: tmp_path / path, 1, WIDTH)
    assert sheet is not None
    picture = np.asarray(decoded(sheet.jpeg).convert("RGB")).astype(int)
    assert picture.shape == (HEIGHT, WIDTH, 3)
    hue = [int(PALETTE[0][at : at + 2], 16) for at in (1, 3, 5)]
    marked = np.abs(picture - hue).sum(axis=2) < 90
    rows, columns = np.nonzero(marked)
    assert [columns.min(), rows.min(), columns.max(), rows.max()] == pytest.approx([40, 60, 299, 399], abs=2)


def test_a_contact_sheet_takes_each_readable_photo_once(tmp_path: Path) -> None:
    write_photos(tmp_path)
    lines = [record for record in showcase_records() for _ in range(3)]
    sheet = contact_sheet(lines, lambda path: tmp_path / path, 4, 800)
    assert sheet is not None
    assert decoded(sheet.jpeg).size == (800, 3 * (197 * 3 // 4) + 2 * 4)
    boxed = [name for name, (_, phrases) in PHRASES.items() if name != "lost" and any(p[1] for p in phrases)]
    assert list(sheet.captions) == [PHRASES[name][0] for name in boxed]


def test_a_contact_sheet_reads_no_further_than_it_needs(tmp_path: Path) -> None:
    files = photo_files(tmp_path, 4)
    lines = records(10_000)
    sheet = contact_sheet(lines, lambda path: files[int(Path(path).stem) % 4], 2, 400)
    assert sheet is not None
    assert int(next(lines)["image_id"]) < 20


def test_without_grounded_photos_there_is_no_contact_sheet(tmp_path: Path) -> None:
    assert contact_sheet([annotated("a", "b", [])], lambda path: tmp_path / path, 4, 800) is None


@pytest.mark.parametrize(("columns", "max_px"), [(0, 800), (100, 800)])
def test_a_contact_sheet_that_cannot_be_is_refused(tmp_path: Path, columns: int, max_px: int) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        contact_sheet([], lambda path: tmp_path / path, columns, max_px)


@needs_corpus("coco24")
def test_a_contact_sheet_of_real_photos_is_small() -> None:
    lines = [
        {
            "image_path": gold["file"],
            "caption": gold["captions"][0],
            "expressions": [{"instances": [{"bbox": found["box"]}]} for found in gold["instances"]],
        }
        for gold in coco24_gold()
    ]
    for columns, max_px in ((4, 800), (6, 2400)):
        sheet = contact_sheet(lines, lambda path: CORPUS / "coco24" / path, columns, max_px)
        assert sheet is not None
        assert len(sheet.jpeg) <= 150_000
        assert decoded(sheet.jpeg).width > max_px // 3

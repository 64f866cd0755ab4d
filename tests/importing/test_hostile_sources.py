"""Sources that are damaged, or made to do harm: what cannot be used is counted, and nothing is written half."""

import gzip
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from grounding_assets.core.errors import InputError
from grounding_assets.core.importing import ImportOptions, import_source
from grounding_assets.core.input_forms import Form
from tests.importing.sources import CAPTIONS, img2dataset_shard, photos, picture, tar

HEAD = "file_name,text\n"
LINES: dict[str, tuple[str, str, list[str]]] = {
    "no caption": ("a.jpg,\n", "no caption", ["Good"]),
    "no image": (",A cat\n", "no image is named", ["Good"]),
    "an address": ("https://example.org/a.jpg,A cat\n", "the image is an address", ["Good"]),
    "too few columns": ("a.jpg\n", "another number of columns", ["Good"]),
    "too many columns": ("a.jpg,A cat, brown\n", "another number of columns", ["Good"]),
    "a field of 10 MB": (f"a.jpg,{'x' * 10_000_000}\n", "broken quotes", ["Good"]),
    "text behind a closing quote": ('a.jpg,"A cat" here\n', "broken quotes", ["Good"]),
    "a NUL in a path": ("a\0.jpg,A cat\n", "NUL", ["Good"]),
}


@pytest.mark.parametrize("name", LINES)
def test_a_line_of_a_table_that_cannot_be_used_is_counted(tmp_path: Path, name: str) -> None:
    line, reason, wanted = LINES[name]
    source = photos(tmp_path, "a.jpg") / "x.csv"
    source.write_text(f"{HEAD}{line}a.jpg,Good\n", encoding="utf-8", newline="")
    report = import_source(source, tmp_path / "out.jsonl", ImportOptions())
    assert [json.loads(row)["caption"] for row in report.output.read_text().splitlines()] == wanted
    assert any(reason in words for words in report.left_out), report.left_out


def test_a_quote_that_never_closes_costs_its_lines_and_joins_none(tmp_path: Path) -> None:
    source = photos(tmp_path, "a.jpg") / "x.csv"
    source.write_text(HEAD + 'a.jpg,Good\na.jpg,"never\na.jpg,lost\na.jpg,lost too\n')
    report = import_source(source, tmp_path / "out.jsonl", ImportOptions())
    assert (report.written, report.left_out.total()) == (1, 3)
    again = import_source(source, tmp_path / "out.jsonl", ImportOptions(no_quotes=True, overwrite=True))
    assert again.written == 4


REFUSED: dict[str, tuple[str, bytes, str]] = {
    "another encoding": ("x.csv", HEAD.encode() + "a.jpg,Grün\n".encode("cp1252"), "--encoding cp1252"),
    "a column twice": ("x.csv", b"file_name,text,text\na.jpg,A,B\n", "a column twice"),
    "an empty table": ("x.csv", b"", "names no column"),
    "nothing usable": ("x.csv", HEAD.encode() + b",\n", "Nothing in"),
    "other fields": ("x.json", b'[{"a": 1, "b": 2}]', "Its fields are: a, b"),
    "broken JSON": ("x.json", b'[{"image": "a.jpg", "caption": "A"}, {', "not a JSON document"),
    "images that are nowhere": ("x.csv", HEAD.encode() + b"zz.jpg,A cat\n", "--image-root"),
    "a cut archive": ("x.tar.gz", gzip.compress(b"x" * 2000)[:40], "no archive that can be read"),
    "a compressed table": ("x.csv.gz", gzip.compress(HEAD.encode()), "unpack it with `gunzip`"),
    "a compressed JSONL": ("x.jsonl.gz", gzip.compress(b"{}"), "unpack it with `gunzip`"),
    "JSONL in UTF-16": ("x.jsonl", '{"image": "a.jpg", "text": "A"}\n'.encode("utf-16"), "-f UTF-16"),
    "an input in UTF-16": (
        "x.jsonl",
        '{"image_path": "a.jpg", "caption": "A"}\n'.encode("utf-16"),
        "-f UTF-16",
    ),
    "JSON in UTF-16": ("x.json", '[{"image": "a.jpg", "text": "A"}]'.encode("utf-16"), "-f UTF-16"),
    "a file of another kind": ("x.bin", b"\x00\x01", "in no form that is known"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_used_as_a_whole_is_refused_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    file, content, words = REFUSED[name]
    source = photos(tmp_path, "a.jpg") / file
    source.write_bytes(content)
    with pytest.raises(InputError) as caught:
        import_source(source, tmp_path / "out.jsonl", ImportOptions())
    assert words in str(caught.value)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted(["a.jpg", file])


def escaping(path: Path) -> Path:
    good = {"ok.jpg": picture(), "ok.txt": b"Good"}
    evil = {
        "../../evil.jpg": picture(1),
        "../../evil.txt": b"up",
        "/tmp/evil.jpg": picture(2),
        "/tmp/evil.txt": b"root",
    }
    return tar(path, good | evil)


def links(path: Path) -> Path:
    return tar(
        path, {"ok.jpg": picture(), "ok.txt": b"Good"}, links={"l.jpg": "/etc/passwd", "l.txt": "/etc/passwd"}
    )


def no_images(path: Path) -> Path:
    return tar(
        path, {"ok.jpg": picture(), "ok.txt": b"Good", "b.jpg": b"no image", "b.txt": b"B", "c.txt": b"alone"}
    )


def names_that_differ_in_case(path: Path) -> Path:
    return tar(path, {"A.jpg": picture(1), "A.txt": b"Upper", "a.jpg": picture(2), "a.txt": b"Lower"})


@pytest.mark.parametrize(
    ("make", "captions", "left_out"),
    [
        (escaping, ["Good", "up", "root"], 0),
        (links, ["Good"], 1),
        (no_images, ["Good"], 2),
        (names_that_differ_in_case, ["Upper", "Lower"], 0),
    ],
)
def test_no_name_of_an_archive_reaches_the_file_system(
    tmp_path: Path, make: Callable[[Path], Path], captions: list[str], left_out: int
) -> None:
    source = make(tmp_path / "x.tar")
    report = import_source(source, tmp_path / "deep" / "er" / "out.jsonl", ImportOptions())
    rows = [json.loads(line) for line in report.output.read_text().splitlines()]
    assert [row["caption"] for row in rows] == captions
    assert report.left_out.total() == left_out
    images = tmp_path / "deep" / "er" / "out.images"
    assert len({(images / row["image_path"]).read_bytes() for row in rows}) == len(captions)
    written = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {source, report.output, *(images / row["image_path"] for row in rows)}


def test_an_archive_that_unpacks_to_a_thousand_times_its_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tar.gz"
    header = bytearray(512)
    header[:4], header[124:136] = b"a.bi", b"\x80" + (1 << 44).to_bytes(11, "big")
    header[257:265], header[148:156] = b"ustar\x0000", b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    path.write_bytes(gzip.compress(bytes(header) + bytes(1024)))
    with pytest.raises(InputError, match="unpacks to more than"):
        import_source(path, tmp_path / "out.jsonl", ImportOptions())


def test_a_damaged_second_archive_leaves_nothing_of_the_first(tmp_path: Path) -> None:
    folder = photos(tmp_path / "shards", "x/a.jpg")
    img2dataset_shard(folder / "00000.tar", CAPTIONS)
    (folder / "00001.tar").write_bytes(img2dataset_shard(folder / "00001.tar").read_bytes()[:700])
    with pytest.raises(InputError, match=r"00001.tar is no archive"):
        import_source(folder, tmp_path / "out" / "out.jsonl", ImportOptions())
    assert not list((tmp_path / "out").iterdir())


def test_an_archive_that_was_cut_between_two_files_is_told(tmp_path: Path) -> None:
    shard = img2dataset_shard(tmp_path / "00000.tar")
    assert not import_source(shard, tmp_path / "whole.jsonl", ImportOptions()).left_out
    with tarfile.open(shard) as archive:
        cut = archive.getmember("000000002.jpg").offset
    shard.write_bytes(shard.read_bytes()[:cut])
    report = import_source(shard, tmp_path / "cut.jsonl", ImportOptions())
    assert report.written == len(CAPTIONS) - 1
    assert [words for words in report.left_out if "has no end mark" in words], report.left_out


def test_text_beside_an_image_is_not_taken_from_outside_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    folder = photos(tmp_path / "f", "a.jpg", "b.jpg")
    (folder / "a.txt").symlink_to(tmp_path / "secret")
    (folder / "b.txt").write_text("Good")
    report = import_source(folder, tmp_path / "out.jsonl", ImportOptions(form=Form.FOLDER))
    assert "secret" not in report.output.read_text()
    assert report.left_out == {"its text is a link that leads out of the folder": 1}

"""Each form that `auto_label import` reads, from a small source as its own program writes it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from grounding_assets.core.dataset.input_file import InputLine, read_input
from grounding_assets.core.errors import InputError
from grounding_assets.core.importing import ImportOptions, ImportReport, import_source
from grounding_assets.core.input_forms import Form, recognise
from tests.importing import sources
from tests.importing.sources import CAPTIONS, photos


def table(path: Path, text: str, encoding: str = "utf-8") -> Path:
    photos(path.parent, "a.jpg", "sub/b.jpg")
    path.write_bytes(text.encode(encoding))
    return path


def json_file(path: Path, value: Any) -> Path:
    photos(path.parent, "a.jpg", "sub/b.jpg")
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def image_folder(root: Path) -> Path:
    photos(root, "a.jpg", "sub/b.PNG", "c.webp")
    (root / "a.txt").write_text("A cat.\n")
    (root / "sub" / "b.json").write_text(json.dumps({"caption": "A dog", "licence": "CC0"}))
    (root / "c.webp.caption").write_text("A cow")
    return root


def coco(path: Path) -> Path:
    photos(path.parent, "000000000001.jpg", "000000000002.jpg")
    path.write_text(json.dumps(sources.coco_captions()))
    return path


def karpathy(path: Path) -> Path:
    image = {
        "filepath": "sub",
        "filename": "b.jpg",
        "sentences": [{"raw": "A dog"}, {"raw": "Dogs"}],
        "split": "val",
    }
    return json_file(path, {"images": [image], "dataset": "coco"})


def parquet(path: Path, *, as_bytes: bool = True) -> Path:
    pyarrow.parquet.write_table(sources.arrow_table(as_bytes=as_bytes), path)
    return path


def metadata_folder(root: Path) -> Path:
    photos(root, "a.jpg")
    (root / "metadata.jsonl").write_text('{"file_name": "a.jpg", "text": "A cat"}\n')
    return root


TWO = [("a.jpg", "A cat"), ("sub/b.jpg", 'A "dog"')]
ROWS = 'file_name,text,split\na.jpg,A cat,val\nsub/b.jpg,"A ""dog""",val\n'
COCO = [
    ("000000000001.jpg", CAPTIONS[0]),
    ("000000000002.jpg", CAPTIONS[1]),
    ("000000000001.jpg", CAPTIONS[2]),
]
NUMBERED = [f"000000/00000000{n}" for n in range(3)]
CASES: dict[str, tuple[Callable[[Path], Path], Form, list[tuple[str, str]]]] = {
    "csv": (lambda p: table(p / "x.csv", ROWS), Form.TABLE, TWO),
    "csv with semicolons, BOM and CRLF": (
        lambda p: table(p / "x.csv", ROWS.replace(",", ";").replace("\n", "\r\n"), "utf-8-sig"), Form.TABLE, TWO),
    "csv in UTF-16": (lambda p: table(p / "x.csv", ROWS, "utf-16"), Form.TABLE, TWO),
    "tsv": (lambda p: table(p / "x.tsv", ROWS.replace(",", "\t")), Form.TABLE, TWO),
    "Flickr30k's table of captions": (
        lambda p: table(p / "results.csv", "image_name| comment_number| comment\na.jpg| 0| A cat , here .\n"),
        Form.TABLE, [("a.jpg", "A cat , here .")]),
    "Hugging Face metadata.jsonl": (lambda p: metadata_folder(p / "f") / "metadata.jsonl", Form.JSONL, [("a.jpg", "A cat")]),
    "a folder with metadata.jsonl": (lambda p: metadata_folder(p / "f"), Form.FOLDER, [("a.jpg", "A cat")]),
    "JSON array": (
        lambda p: json_file(p / "x.json", [{"image": "a.jpg", "caption": ["A cat", "Cat"]}, {"Image": "sub/b.jpg", "TEXT": "Dog"}]),
        Form.JSON, [("a.jpg", "A cat"), ("a.jpg", "Cat"), ("sub/b.jpg", "Dog")]),
    "COCO captions": (lambda p: coco(p / "captions_val2017.json"), Form.COCO, COCO),
    "Karpathy's split of COCO": (lambda p: karpathy(p / "dataset_coco.json"), Form.COCO, [("sub/b.jpg", "A dog"), ("sub/b.jpg", "Dogs")]),
    "folder of images": (lambda p: image_folder(p / "f"), Form.FOLDER, [("a.jpg", "A cat."), ("c.webp", "A cow"), ("sub/b.PNG", "A dog")]),
    "img2dataset's tar": (
        lambda p: sources.img2dataset_shard(p / "00000.tar"), Form.TAR,
        [(f"{name}.jpg", caption) for name, caption in zip(NUMBERED, CAPTIONS, strict=True)]),
    "a folder of gzipped tars": (
        lambda p: sources.img2dataset_shard(photos(p / "f", "x/a.jpg") / "00000.tar.gz", CAPTIONS[:1]).parent, Form.TAR,
        [(f"{NUMBERED[0]}.jpg", CAPTIONS[0])]),
    "parquet with images": (
        lambda p: parquet(p / "x.parquet"), Form.PARQUET,
        [(f"{NUMBERED[n]}.jpg", text) for n in (0, 1) for text in (CAPTIONS[n], "Another one.")]),
    "save_to_disk": (
        lambda p: sources.saved_to_disk(p / "ds", sources.arrow_table(1)), Form.DATASETS,
        [(f"{NUMBERED[0]}.jpg", text) for text in (CAPTIONS[0], "Another one.")]),
    "Flickr30k Entities": (lambda p: sources.flickr30k(p / "f30k"), Form.FLICKR30K, [("7.jpg", "A dog runs .")]),
    "RefCOCO": (lambda p: sources.refcoco(p / "refcoco"), Form.REFCOCO, [("1.jpg", "left dog"), ("1.jpg", "the dog")]),
}  # fmt: skip


def test_what_is_no_object_of_a_json_array_is_left_out_and_told(tmp_path: Path) -> None:
    photos = [
        {"image": "a.jpg", "caption": "A cat"},
        None,
        "notes",
        [1],
        {"image": "b.jpg", "caption": "Dog"},
    ]
    report = import_source(json_file(tmp_path / "x.json", photos), tmp_path / "out.jsonl", ImportOptions())
    assert pairs(tmp_path / "out.jsonl") == [("a.jpg", "A cat"), ("b.jpg", "Dog")]
    assert report.left_out == {"no JSON object": 3}


@pytest.mark.parametrize("name", CASES)
def test_a_form_is_recognised_and_becomes_an_input(tmp_path: Path, name: str) -> None:
    make, form, wanted = CASES[name]
    (tmp_path / "source").mkdir()
    source = make(tmp_path / "source")
    assert recognise(source) is form
    output = tmp_path / "out" / "captions.jsonl"
    report = import_source(source, output, ImportOptions())
    assert pairs(output) == wanted
    assert report.written == report.images_found == len(wanted)
    assert not report.left_out
    for path, _ in wanted:
        assert (report.image_root / path).is_file()
    with pytest.raises(InputError, match="exists"):
        import_source(source, output, ImportOptions())


def pairs(output: Path) -> list[tuple[str, str]]:
    """(image path, caption) of the lines that a run would take, which are all."""
    lines = list(read_input(output))
    assert all(isinstance(line, InputLine) for line in lines)
    return [
        (line.record["image_path"], line.record["caption"]) for line in lines if isinstance(line, InputLine)
    ]


def imported(tmp_path: Path, source: Path, **options: Any) -> ImportReport:
    return import_source(source, tmp_path / "out.jsonl", ImportOptions(**options))


def test_parquet_with_paths_is_read_in_place(tmp_path: Path) -> None:
    photos(tmp_path, "photo0.jpg", "photo1.jpg")
    report = imported(tmp_path, parquet(tmp_path / "x.parquet", as_bytes=False))
    assert {path for path, _ in pairs(report.output)} == {str(tmp_path / f"photo{n}.jpg") for n in (0, 1)}
    assert report.extracted is None
    assert not list(tmp_path.glob("*.images"))


def test_fields_sizes_and_ids_come_over(tmp_path: Path) -> None:
    source = table(
        tmp_path / "s" / "x.csv", "id,file_name,caption,width,height,note\n7,a.jpg,A cat,32.0,24,keep\n"
    )
    record = json.loads(imported(tmp_path, source).output.read_text())
    assert record == {
        "image_path": "a.jpg",
        "image_id": "7",
        "width": 32,
        "height": 24,
        "note": "keep",
        "caption": "A cat",
    }


def test_unusual_names_are_given(tmp_path: Path) -> None:
    source = table(tmp_path / "s" / "x.csv", "Photo,what is seen,caption\na.jpg,A cat,unused\n")
    with pytest.raises(
        InputError, match="names no column that holds images, only: Photo, what is seen, caption"
    ):
        imported(tmp_path, source)
    report = imported(tmp_path, source, image_field="Photo", caption_field="what is seen")
    assert pairs(report.output) == [("a.jpg", "A cat")]
    assert report.used_fields["caption"] == {"what is seen"}


def test_gold_is_written_beside_the_input(tmp_path: Path) -> None:
    report = imported(tmp_path, sources.refcoco(tmp_path / "refcoco"))
    assert report.gold is not None
    gold = [json.loads(line) for line in report.gold.read_text().splitlines()]
    assert [row["expressions"][0]["instances"][0]["bbox"] for row in gold] == [[1, 2, 11, 12]] * 2
    assert "expressions" not in report.output.read_text()


def test_images_without_a_caption_are_kept_on_request(tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "f")
    (folder / "a.txt").unlink()
    left_out = imported(tmp_path, folder)
    assert left_out.written == 2
    assert "1 left out: no caption (--caption-from-model keeps" in left_out.left_out_words()[0]
    kept = imported(tmp_path, folder, caption_from_model=True, overwrite=True)
    assert (kept.written, kept.without_caption) == (3, 1)
    assert ("a.jpg", "") in pairs(kept.output)


def test_a_text_of_several_lines_is_one_caption_or_one_a_line(tmp_path: Path) -> None:
    folder = photos(tmp_path / "f", "a.jpg")
    (folder / "a.txt").write_text("A cat\n\nA pet\n")
    assert pairs(imported(tmp_path, folder).output) == [("a.jpg", "A cat\n\nA pet")]
    per_line = imported(tmp_path, folder, caption_per_line=True, overwrite=True)
    assert pairs(per_line.output) == [("a.jpg", "A cat"), ("a.jpg", "A pet")]

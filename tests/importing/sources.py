"""Small sources in the forms that people have, written to disk as their own programs write them."""

import io
import json
import pickle
import tarfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow
from PIL import Image

CAPTIONS = ("A red cup on a table.", 'A "quoted" dog, with a comma', "Zwei Hunde über der Wiese")


def picture(number: int = 0, kind: str = "JPEG") -> bytes:
    """A small image, another one for each number."""
    stream = io.BytesIO()
    Image.new("RGB", (32 + number, 24), (40 * number % 256, 120, 200)).save(stream, kind)
    return stream.getvalue()


def photos(folder: Path, *names: str) -> Path:
    """A folder with an image under each of the names."""
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(picture(number))
    return folder


def tar(path: Path, contents: Mapping[str, bytes], *, links: Mapping[str, str] | None = None) -> Path:
    """An archive; `links` are symbolic links by name."""
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return path


def img2dataset_shard(path: Path, captions: tuple[str, ...] = CAPTIONS) -> Path:
    """A shard as img2dataset's WebDataset writer leaves it: `.jpg`, `.txt`, `.json` of one key."""
    contents: dict[str, bytes] = {}
    for number, caption in enumerate(captions):
        key = f"{number:09d}"
        told = {"caption": caption, "url": "https://example.org/x.jpg", "key": key, "status": "success",
                "error_message": None, "width": 32 + number, "height": 24, "original_width": 64, "exif": "{}", "sha256": "ab"}  # fmt: skip
        contents |= {
            f"{key}.jpg": picture(number),
            f"{key}.json": json.dumps(told).encode(),
            f"{key}.txt": caption.encode(),
        }
    return tar(path, contents)


def coco_captions(captions: tuple[str, ...] = CAPTIONS) -> dict[str, Any]:
    """Two images, the second with no caption of its own when there are fewer."""
    images = [
        {"license": 3, "file_name": f"{n:012d}.jpg", "height": 24, "width": 32 + n, "id": n, "flickr_url": ""}
        for n in (1, 2)
    ]
    annotations = [{"image_id": 1 + n % 2, "id": 100 + n, "caption": c} for n, c in enumerate(captions)]
    return {"info": {"year": 2017}, "licenses": [], "images": images, "annotations": annotations}


def arrow_table(count: int = 2, *, as_bytes: bool = True) -> pyarrow.Table:
    """Rows as Hugging Face `datasets` stores images: a struct of bytes and path, and a list of captions."""
    rows = [
        {
            "image": {"bytes": picture(n) if as_bytes else None, "path": f"photo{n}.jpg"},
            "caption": [CAPTIONS[n], "Another one."],
            "when": datetime(2020, 1, 1),
        }
        for n in range(count)
    ]
    return pyarrow.Table.from_pylist(rows)


def saved_to_disk(folder: Path, table: pyarrow.Table) -> Path:
    """A `DatasetDict` of one split, as `save_to_disk` lays it out."""
    split = folder / "train"
    split.mkdir(parents=True)
    (folder / "dataset_dict.json").write_text('{"splits": ["train"]}')
    (split / "state.json").write_text('{"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}')
    (split / "dataset_info.json").write_text("{}")
    with pyarrow.ipc.new_stream(split / "data-00000-of-00001.arrow", table.schema) as stream:
        stream.write_table(table)
    return folder


def flickr30k(folder: Path) -> Path:
    """Flickr30k Entities with one image and one sentence."""
    for name in ("Sentences", "Annotations"):
        (folder / name).mkdir(parents=True)
    (folder / "Sentences" / "7.txt").write_text("[/EN#1/animals A dog] runs .\n")
    box = "<bndbox><xmin>2</xmin><ymin>3</ymin><xmax>12</xmax><ymax>13</ymax></bndbox>"
    (folder / "Annotations" / "7.xml").write_text(
        "<annotation><size><width>32</width><height>24</height></size>"
        f"<object><name>1</name>{box}</object></annotation>"
    )
    return photos(folder, "7.jpg")


def refcoco(folder: Path) -> Path:
    """One reference with two sentences; returns the file of references."""
    folder.mkdir(parents=True)
    refs = [
        {"ann_id": 5, "image_id": 1, "split": "val", "sentences": [{"sent": "left dog"}, {"sent": "the dog"}]}
    ]
    (folder / "refs(unc).p").write_bytes(pickle.dumps(refs))
    instances = {
        "images": [{"id": 1, "file_name": "1.jpg", "width": 32, "height": 24}],
        "annotations": [{"id": 5, "bbox": [1, 2, 10, 10]}],
    }
    (folder / "instances.json").write_text(json.dumps(instances))
    return photos(folder, "1.jpg") / "refs(unc).p"

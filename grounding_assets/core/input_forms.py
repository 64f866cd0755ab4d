"""The forms in which people have images and captions, told apart by their first bytes and names.

Not here: reading them (`importing`). Below it, since the reader of input files names the command that converts them.
"""

import codecs
import json
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import islice
from pathlib import Path

IMAGE_NAMES = (
    "image_path", "file_name", "filename", "image_file", "image", "image_name", "img", "img_path", "path", "filepath",
    "file_path", "file",
)  # fmt: skip
CAPTION_NAMES = (
    "caption", "text", "captions", "description", "sentence", "sentences", "comment", "raw", "alt_text", "title",
)  # fmt: skip
ID_NAMES = ("image_id", "id", "key")
"""Usual names of fields, whatever their case; the first that a record has is taken."""
IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp", ".ppm", ".jp2", ".avif")
)
DELIMITERS = (",", "\t", ";", "|")
_TABLE_SUFFIXES = (".csv", ".tsv", ".tab")
_LOOKED_AT_BYTES = 64 << 10
_LOOKED_AT_FILES = 10_000
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


_PACKED = (
    (b"\x1f\x8b", "gunzip"),
    (b"PK\x03\x04", "unzip"),
    (b"\xfd7zXZ", "unxz"),
    (b"\x28\xb5\x2f\xfd", "unzstd"),
)
"""First bytes of compressed files, and what unpacks them."""


class Form(StrEnum):
    """A form that `auto_label import` reads."""

    TABLE = "table"
    """CSV or TSV, the columns' names in the first line."""
    JSONL = "jsonl"
    """An object a line under other names, such as a Hugging Face `metadata.jsonl`."""
    JSON = "json"
    """A JSON array of objects."""
    COCO = "coco"
    """COCO captions: a JSON document with `images` and `annotations`, or Karpathy's with `sentences` in `images`."""
    FOLDER = "folder"
    """Images with a .txt, .caption or .json beside each."""
    TAR = "tar"
    """WebDataset: one archive or a folder of them, as img2dataset writes it."""
    PARQUET = "parquet"
    """One file or a folder of them, the images as bytes or as paths."""
    DATASETS = "datasets"
    """A folder written by `save_to_disk` of Hugging Face `datasets`."""
    FLICKR30K = "flickr30k"
    """A folder of Flickr30k Entities: gold."""
    REFCOCO = "refcoco"
    """`refs(unc).p` or the like with `instances.json` beside it: gold."""


def recognise(path: Path) -> Form | None:
    """The form of a file or folder; None if it is an input JSONL already, or none of these.

    Raises:
        OSError: it cannot be opened.
    """
    if path.is_dir():
        return _form_of_folder(path)
    if not path.is_file():
        return None
    with path.open("rb") as stream:
        beginning = stream.read(_LOOKED_AT_BYTES)
    if beginning.startswith(b"PAR1"):
        return Form.PARQUET
    if beginning[257:262] == b"ustar" or is_archive(path):
        return Form.TAR
    if path.suffix in (".p", ".pkl", ".pickle"):
        return Form.REFCOCO
    return _form_of_text(path, beginning)


def convertible_form(path: Path) -> Form | None:
    """The form that `auto_label import` would take it for; None also if it cannot be opened."""
    try:
        return recognise(path)
    except OSError:
        return None


def conversion_advice(path: Path) -> str:
    """A sentence on what makes an input of the file; empty if nothing is known to. Never raises."""
    form = convertible_form(path)
    if form is not None:
        command = shlex.join(["auto_label", "import", str(path)])
        return f" It looks like the form '{form}': convert it with `{command}`."
    try:
        other = to_be_converted(path)
    except OSError:
        other = ""
    return f" It is {other}." if other else ""


def to_be_converted(path: Path) -> str:
    """What a file is that makes it no UTF-8 text, and what helps; empty if it is not known to be anything else.

    Raises:
        OSError: it cannot be opened.
    """
    if not path.is_file():
        return ""
    with path.open("rb") as stream:
        beginning = stream.read(8)
    for mark, program in _PACKED:
        if beginning.startswith(mark):
            return f"compressed: unpack it with `{program}`"
    if encoding_of(beginning) == "utf-16":
        return "UTF-16: convert it with `iconv -f UTF-16 -t UTF-8`"
    return ""


def encoding_of(beginning: bytes) -> str:
    """The text encoding that a byte order mark tells, else UTF-8."""
    return next((name for mark, name in _BOMS if beginning.startswith(mark)), "utf-8")


def field_of(names: Sequence[str], usual: Sequence[str]) -> str | None:
    """The first of the usual names that is among `names`, as it is written there."""
    folded = {name.strip().casefold(): name for name in reversed(names)}
    return next((folded[name] for name in usual if name in folded), None)


def is_archive(path: Path) -> bool:
    return path.name.lower().endswith((".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"))


def _form_of_folder(folder: Path) -> Form | None:
    names = {entry.name for entry in folder.iterdir()}
    if "dataset_dict.json" in names or {"state.json", "dataset_info.json"} <= names:
        return Form.DATASETS
    if {"Sentences", "Annotations"} <= names:
        return Form.FLICKR30K
    if any(is_archive(folder / name) for name in names):
        return Form.TAR
    suffixes = set(islice(_suffixes(folder), _LOOKED_AT_FILES))
    if suffixes & IMAGE_SUFFIXES:
        return Form.FOLDER
    return Form.PARQUET if ".parquet" in suffixes else None


def _suffixes(folder: Path) -> Iterator[str]:
    for _, _, names in os.walk(folder):
        yield from (os.path.splitext(name)[1].lower() for name in names)  # noqa: PTH122


def _form_of_text(path: Path, beginning: bytes) -> Form | None:
    text = beginning.decode(encoding_of(beginning), "replace").lstrip()
    first = text.partition("\n")[0].strip()
    if text.startswith("["):
        return Form.JSON
    if text.startswith("{"):
        return _form_of_object(text, first)
    if path.suffix.lower() in _TABLE_SUFFIXES:
        return Form.TABLE
    columns = (re.split(re.escape(delimiter), first) for delimiter in DELIMITERS)
    known = any(len(names) > 1 and field_of([n.strip(' "') for n in names], IMAGE_NAMES) for names in columns)
    return Form.TABLE if known else None


def _form_of_object(text: str, first: str) -> Form | None:
    try:
        record = json.loads(first)
    except (ValueError, RecursionError):
        # the beginning of a document of several lines, or of one longer than what was read
        return Form.COCO if re.search(r'"(images|annotations)"\s*:\s*\[', text) else None
    images = record.get("images")
    if isinstance(images, list) and ("annotations" in record or (images and isinstance(images[0], dict))):
        return Form.COCO
    if "image_path" in record and ("caption" in record or "expressions" in record):
        return None
    return Form.JSONL if field_of(list(record), IMAGE_NAMES) else None

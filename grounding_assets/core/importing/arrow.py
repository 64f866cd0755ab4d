"""Parquet, and folders that Hugging Face `datasets` saved, as rows; images in them are written out. Needs pyarrow."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from grounding_assets.core.errors import InputError, SpecError
from grounding_assets.core.importing.extracted_images import ExtractedImages
from grounding_assets.core.importing.options import ImportOptions
from grounding_assets.core.importing.rows import LeftOut, Row
from grounding_assets.core.input_forms import IMAGE_NAMES, field_of

_ROWS_A_BATCH = 16
"""Rows in memory at a time; each may hold an image of many megabytes."""


def read_parquet(
    source: Path, images: ExtractedImages, root: Path, options: ImportOptions
) -> Iterator[Row | LeftOut]:
    """The rows of a file, or of all files in a folder; a relative path of an image starts from `root`.

    Raises:
        SpecError: pyarrow is not there.
        InputError: a file cannot be read.
        RunStopped: an image cannot be written.
    """
    pyarrow = _pyarrow()
    paths = sorted(source.rglob("*.parquet")) if source.is_dir() else [source]
    for path in paths:
        try:
            with pyarrow.parquet.ParquetFile(path) as file:
                yield from _rows(path, file.iter_batches(_ROWS_A_BATCH), images, root, options)
        except (pyarrow.ArrowException, OSError) as error:
            raise InputError(f"{path} is no Parquet file that can be read: {error}.") from None


def read_datasets_folder(
    source: Path, images: ExtractedImages, root: Path, options: ImportOptions
) -> Iterator[Row | LeftOut]:
    """The rows of every split that `save_to_disk` wrote.

    Raises:
        SpecError: pyarrow is not there.
        InputError: a file cannot be read.
        RunStopped: an image cannot be written.
    """
    pyarrow = _pyarrow()
    paths = sorted(source.rglob("*.arrow"))
    if not paths:
        raise InputError(f"{source} holds no .arrow file: was it written by save_to_disk?")
    for path in paths:
        try:
            with pyarrow.memory_map(str(path)) as file, pyarrow.ipc.open_stream(file) as stream:
                slices = (
                    batch.slice(start, _ROWS_A_BATCH)
                    for batch in stream
                    for start in range(0, batch.num_rows, _ROWS_A_BATCH)
                )
                yield from _rows(path, slices, images, root, options)
        except (pyarrow.ArrowException, OSError) as error:
            raise InputError(f"{path} is no Arrow stream that can be read: {error}.") from None


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise SpecError("This form needs pyarrow: run `pip install pyarrow`.") from None
    return pyarrow


def _rows(
    path: Path, batches: Iterator[Any], images: ExtractedImages, root: Path, options: ImportOptions
) -> Iterator[Row | LeftOut]:
    number = 0
    for batch in batches:
        for values in batch.to_pylist():
            number += 1
            place = f"{path.name}, row {number}"
            try:
                yield Row(place, _fields(values, images, root, options))
            except ValueError as error:
                yield LeftOut(place, str(error))


def _fields(
    values: Mapping[str, Any], images: ExtractedImages, root: Path, options: ImportOptions
) -> dict[str, Any]:
    """A row without its bytes, which become a file.

    Raises:
        ValueError: the bytes are no image.
    """
    holders = [options.image_field] if options.image_field in values else list(values)
    holder = next((name for name in holders if _image_bytes(values[name])), None)
    fields = {
        name: _plain(value)
        for name, value in values.items()
        if name != holder and not isinstance(value, bytes)
    }
    if holder is None:
        return _with_absolute_path(fields, root, options)
    image = values[holder]
    named = image.get("path") if isinstance(image, dict) else None
    if "image_id" not in fields and isinstance(named, str) and named:
        fields["image_id"] = Path(named).stem
    fields.pop("image_path", None)
    return {"image_path": images.add(_image_bytes(image)), **fields}


def _with_absolute_path(fields: dict[str, Any], root: Path, options: ImportOptions) -> dict[str, Any]:
    name = options.image_field or field_of(list(fields), IMAGE_NAMES)
    image = fields.get(name) if name else None
    path = image.get("path") if isinstance(image, dict) else image
    return {**fields, name: str(root / path)} if name and isinstance(path, str) and path else fields


def _image_bytes(value: Any) -> bytes:
    """Of a column of bytes, or of `datasets`' images; empty if it is neither."""
    raw = value.get("bytes") if isinstance(value, dict) else value
    return raw if isinstance(raw, bytes) else b""


def _plain(value: Any) -> Any:
    """As JSON has it: times and decimals as text."""
    return json.loads(json.dumps(value, default=str))

"""A folder of images with a text or JSON file beside each, in subfolders too."""

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from grounding_assets.core.dataset.input_file import MAX_LINE_BYTES
from grounding_assets.core.errors import InputError
from grounding_assets.core.importing.options import ImportOptions
from grounding_assets.core.importing.rows import LeftOut, Row
from grounding_assets.core.input_forms import IMAGE_SUFFIXES, encoding_of

SIDECARS = (".txt", ".caption", ".json")


def read_folder(root: Path, options: ImportOptions) -> Iterator[Row | LeftOut]:
    """A row for each image, in the order of the names; paths start from `root`.

    Raises:
        InputError: the folder cannot be read.
    """

    def cannot(error: OSError) -> None:
        raise InputError(f"Cannot read {error.filename}: {error.strerror}.")

    inside = root.resolve()
    for place, folders, names in os.walk(root, onerror=cannot):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from _read_one(root, Path(place), names, inside, options)


def _read_one(
    root: Path, folder: Path, names: list[str], inside: Path, options: ImportOptions
) -> Iterator[Row | LeftOut]:
    images: list[str] = []
    sidecars: dict[str, dict[str, str]] = defaultdict(dict)
    """File name by suffix, by the stem, which may be an image's whole name."""
    for name in sorted(name for name in names if not name.startswith(".")):
        stem, suffix = os.path.splitext(name)  # noqa: PTH122
        if suffix.lower() in IMAGE_SUFFIXES:
            images.append(name)
        elif suffix.lower() in SIDECARS:
            sidecars[stem][suffix.lower()] = name
        else:
            yield LeftOut(
                str((folder / name).relative_to(root)), f"no image that can be read ({suffix or 'no suffix'})"
            )
    claimed: set[str] = set()
    for name in images:
        path = folder / name
        place = str(path.relative_to(root))
        owners = [owner for owner in (name, path.stem) if owner in sidecars]
        claimed.update(owners)
        fields: dict[str, Any] = {}
        reason = ""
        for owner in reversed(owners):
            try:
                fields |= _fields_beside(folder, sidecars[owner], inside, options)
            except ValueError as error:
                reason = str(error)
        # what a sidecar says of the image's place may be of another machine
        own = {"image_path": path.relative_to(root).as_posix()}
        kept = {key: value for key, value in fields.items() if key not in ("image_path", options.image_field)}
        yield LeftOut(place, reason) if reason else Row(place, {**own, **kept})
    for stem in sidecars.keys() - claimed:
        for name in sidecars[stem].values():
            yield LeftOut(str((folder / name).relative_to(root)), "no image beside the text")


def _fields_beside(
    folder: Path, by_suffix: Mapping[str, str], inside: Path, options: ImportOptions
) -> dict[str, Any]:
    """What the files beside an image say.

    Raises:
        ValueError: one cannot be used; says why.
    """
    parts: list[tuple[str, bytes]] = []
    for suffix in reversed([suffix for suffix in SIDECARS if suffix in by_suffix]):
        path = folder / by_suffix[suffix]
        if not path.resolve().is_relative_to(inside):
            raise ValueError("its text is a link that leads out of the folder")
        try:
            if not path.is_file() or path.stat().st_size > MAX_LINE_BYTES:
                raise ValueError(f"its text is no file of at most {MAX_LINE_BYTES} bytes")
            parts.append((suffix, path.read_bytes()))
        except OSError as error:
            raise ValueError(f"its text cannot be read ({error.strerror})") from None
    return sidecar_fields(parts, options)


def sidecar_fields(parts: Iterable[tuple[str, bytes]], options: ImportOptions) -> dict[str, Any]:
    """What text and JSON files say, each given by suffix and content; a text file's caption goes before JSON's.

    Raises:
        ValueError: one cannot be used; says why.
    """
    fields: dict[str, Any] = {}
    texts: dict[str, Any] = {}
    for suffix, raw in parts:
        if suffix == ".json":
            fields |= _fields_of_json(raw)
        else:
            text = _decoded(raw, options.encoding)
            texts[options.caption_field or "caption"] = (
                text.splitlines() if options.caption_per_line else text
            )
    return fields | texts


def _fields_of_json(raw: bytes) -> dict[str, Any]:
    """Of an object, or a caption or several alone."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        raise ValueError("its JSON file cannot be read") from None
    if isinstance(value, dict):
        return value
    if isinstance(value, (str, list)):
        return {"caption": value}
    raise ValueError("its JSON file holds neither an object nor captions")


def _decoded(raw: bytes, encoding: str) -> str:
    encoding = encoding or encoding_of(raw[:4])
    try:
        return raw.decode(encoding)
    except (UnicodeError, LookupError):
        raise ValueError(f"its text is not {encoding} (--encoding says what it is)") from None

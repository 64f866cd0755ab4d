"""WebDataset archives as rows: files of one key, up to the first dot of its name, are one sample."""

import lzma
import os
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from grounding_assets.core.dataset.input_file import MAX_LINE_BYTES
from grounding_assets.core.errors import InputError
from grounding_assets.core.importing.extracted_images import MAX_IMAGE_BYTES, ExtractedImages
from grounding_assets.core.importing.folders import SIDECARS, sidecar_fields
from grounding_assets.core.importing.options import ImportOptions
from grounding_assets.core.importing.rows import LeftOut, Row
from grounding_assets.core.input_forms import IMAGE_SUFFIXES, is_archive

_MAX_EXPANSION = 200
"""How many times an archive's own size its content may be; what is above is made to fill a disk."""
_ALWAYS_ALLOWED_BYTES = 1 << 30


def read_archives(source: Path, images: ExtractedImages, options: ImportOptions) -> Iterator[Row | LeftOut]:
    """A row for each sample of an archive, or of all archives in a folder.

    Raises:
        InputError: an archive is damaged, or unpacks to far more than its size.
        RunStopped: an image cannot be written.
    """
    paths = sorted(p for p in source.iterdir() if is_archive(p)) if source.is_dir() else [source]
    for path in paths:
        try:
            with tarfile.open(path, "r|*") as archive:
                for key, members in groupby(_contents(path, archive), key=lambda content: content[0]):
                    parts = [(suffix, raw) for _, suffix, raw in members]
                    yield from _read_sample(f"{path.name}/{key}", key, parts, images, options)
        except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError) as error:
            raise InputError(
                f"{path} is no archive that can be read: {error}. Nothing was imported."
            ) from None
        if not _has_end_mark(path):
            yield LeftOut(path.name, "the archive has no end mark: it was cut, or is still being written")


def _has_end_mark(path: Path) -> bool:
    """False for an archive that tarfile reads without complaint up to where it was cut, between two members.

    A compressed one that was cut is an error.
    """
    with path.open("rb") as stream:
        if stream.read(512)[257:262] != b"ustar":
            return True
        stream.seek(-512, os.SEEK_END)
        return not any(stream.read())


def _contents(path: Path, archive: tarfile.TarFile) -> Iterator[tuple[str, str, bytes | str]]:
    """(key, suffix, content) of every file, or why there is no content."""
    limit = max(_ALWAYS_ALLOWED_BYTES, _MAX_EXPANSION * path.stat().st_size)
    for member in archive:
        if member.offset_data + member.size > limit:
            raise InputError(
                f"{path} unpacks to more than {_MAX_EXPANSION} times its size: nothing was imported. Unpack it yourself if "
                "that is right, and import the folder."
            )
        if member.isdir():
            continue
        folder, _, name = member.name.rpartition("/")
        stem, _, suffix = name.partition(".")
        key, suffix = f"{folder}/{stem}".lstrip("/"), f".{suffix.lower()}"
        if not member.isreg():
            yield key, suffix, "no regular file but a link or a device"
        elif suffix in IMAGE_SUFFIXES or suffix in SIDECARS:
            most = MAX_IMAGE_BYTES if suffix in IMAGE_SUFFIXES else MAX_LINE_BYTES
            stream = archive.extractfile(member)
            yield (
                key,
                suffix,
                stream.read() if stream and member.size <= most else f"larger than {most} bytes",
            )


def _read_sample(
    place: str,
    key: str,
    parts: Sequence[tuple[str, bytes | str]],
    images: ExtractedImages,
    options: ImportOptions,
) -> Iterator[Row | LeftOut]:
    held: list[tuple[str, bytes]] = []
    try:
        for suffix, raw in parts:
            if isinstance(raw, str):
                raise ValueError(raw)
            held.append((suffix, raw))
        # first, so that no image is written for a sample that is left out for its text
        fields = sidecar_fields((part for part in held if part[0] in SIDECARS), options)
        image_path = next((images.add(raw) for suffix, raw in held if suffix in IMAGE_SUFFIXES), "")
    except ValueError as error:
        yield LeftOut(place, str(error))
        return
    if not image_path:
        yield LeftOut(place, "no image beside the text")
        return
    # paths and addresses in the sidecar are of where the image was
    own = {"image_path": image_path, "image_id": fields.get("key") or key.rpartition("/")[2]}
    kept = {name: value for name, value in fields.items() if name not in ("key", "exif")}
    yield Row(place, {**kept, **own})

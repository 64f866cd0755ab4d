"""The image files behind an export: those that EXIF turns, upright copies of them, and contents to embed.

Boxes are in pixels of the upright image. torchvision's CocoDetection, Open-GroundingDino, MDETR, ms-swift and Qwen's
code open a file without applying EXIF, and so see a turned photo lying, with its boxes elsewhere.
"""

import hashlib
import io
from collections import Counter
from dataclasses import replace
from pathlib import Path, PurePosixPath

from grounding_assets.core.dataset.annotated import AnnotatedSample
from grounding_assets.core.errors import SampleFailure
from grounding_assets.core.exports.splits import image_identity
from grounding_assets.core.images.image_file import ImageFile, open_image, read_image_bytes
from grounding_assets.core.images.locations import ImageLocation, ImageRoot

UPRIGHT = "upright"
"""Folder of the copies."""
_TURNED = "images that EXIF turns, which some loaders show lying: upright_copies=true writes upright copies"
_COPIED = "images that EXIF turned, written upright beside this"
_UNOPENED = "images that could not be opened, to see whether EXIF turns them"
_JPEG_QUALITY = 95
_JPEG_START = b"\xff\xd8"
_JPEG_HEAD_BYTES = 1 << 18
"""What nearly always holds a JPEG's EXIF and size, with a thumbnail and a colour profile."""


class ExportedImages:
    """Looks at each image once."""

    def __init__(self, root: ImageRoot | None, copies: Path | None, published: Path, notes: Counter[str]):
        """
        Args:
            root: where relative paths start; None: no file is looked at.
            copies: folder to write upright copies into; None: none is written.
            published: what that folder will be called in the end.
            notes: counts what was seen, in words for the card.
        """
        self._root, self._copies, self._published, self._notes = root, copies, published.absolute(), notes
        self._places: dict[int, str | None] = {}

    def placed(self, sample: AnnotatedSample) -> AnnotatedSample:
        """The sample with the path of an image that needs no EXIF, if copies are written.

        Raises:
            SampleFailure: its image is turned, and cannot be decoded.
        """
        if self._root is None:
            return sample
        image = hash(image_identity(sample.image_path))
        if image not in self._places:
            self._places[image] = self._place(self._root / sample.image_path, sample.image_path)
        place = self._places[image]
        if place is None:
            return sample
        return replace(sample, image_path=place, record={**sample.record, "image_path": place})

    def content(self, image_path: str) -> bytes:
        """An image as any program shows it upright: the file as it is, or an upright copy.

        Raises:
            SampleFailure: it is missing or damaged.
        """
        path = (self._root or Path()) / image_path
        raw = read_image_bytes(path)
        with ImageFile(raw, path) as file:
            return _upright(file)[1] if file.is_turned else raw

    def _place(self, path: ImageLocation, image_path: str) -> str | None:
        try:
            turned = _is_turned(path)
        except SampleFailure:
            self._notes[_UNOPENED] += 1
            return None
        if not turned:
            return None
        if self._copies is None:
            self._notes[_TURNED] += 1
            return None
        with ImageFile(read_image_bytes(path), path) as file:
            suffix, encoded = _upright(file)
        folder = hashlib.sha256(image_identity(image_path).encode()).hexdigest()[:12]
        name = PurePosixPath(image_path).stem[:80] + suffix
        (self._copies / folder).mkdir(parents=True, exist_ok=True)
        (self._copies / folder / name).write_bytes(encoded)
        self._notes[_COPIED] += 1
        return str(self._published / folder / name)


def _is_turned(path: ImageLocation) -> bool:
    """By the first bytes of a JPEG: a million photos need not be read whole."""
    head = read_image_bytes(path, _JPEG_HEAD_BYTES)
    if head.startswith(_JPEG_START):
        try:
            with ImageFile(head, path) as file:
                return file.is_turned
        except SampleFailure:
            pass  # its header is longer
    with open_image(path) as file:
        return file.is_turned


def _upright(file: ImageFile) -> tuple[str, bytes]:
    """Suffix and content of the same picture without EXIF."""
    buffer = io.BytesIO()
    if file.format == "JPEG":
        file.upright_rgb().save(buffer, "JPEG", quality=_JPEG_QUALITY)
        return ".jpg", buffer.getvalue()
    file.upright_rgb().save(buffer, "PNG")
    return ".png", buffer.getvalue()

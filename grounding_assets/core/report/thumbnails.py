"""Photos made small enough for a page: how small follows from how many there are and what they may weigh."""

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from PIL import Image

from grounding_assets.core.errors import SampleFailure
from grounding_assets.core.images.image_file import fitted_size, open_image
from grounding_assets.core.images.locations import ImageLocation, in_order

_SCALES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.45, 0.4, 0.35, 0.3, 0.25)
"""Of the longest side asked for, tried from the first until the photos fit the budget."""
_PROBES = 32
_WORKERS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class PhotoSize:
    """How large photos are made."""

    longest_px: int
    """Of the longer side; smaller photos are not enlarged."""
    quality: int
    """Of the JPEG, 1 to 95."""


@dataclass(frozen=True, slots=True)
class Photo:
    """One small photo, or why there is none."""

    jpeg: bytes
    """Empty if the photo cannot be read."""
    image_size: tuple[int, int] | None
    """(width, height) in pixels of the upright original, the frame of its boxes; None if unknown."""
    trouble: str = ""


def small_photo(path: ImageLocation, size: PhotoSize) -> Photo:
    """Reads, turns upright and shrinks one photo; a photo that cannot be read comes back as its trouble."""
    try:
        picture, image_size = read_small(path, size.longest_px)
    except SampleFailure as failure:
        return Photo(b"", None, str(failure))
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=size.quality, optimize=True)
    return Photo(encoded.getvalue(), image_size)


def read_small(path: ImageLocation, longest_px: int) -> tuple[Image.Image, tuple[int, int]]:
    """An upright RGB picture of at most `longest_px` a side, and (width, height) of the upright original.

    Raises:
        SampleFailure: the file is missing, not an image, broken, or too large to decode.
    """
    with open_image(path) as file:
        size = file.image_size
        fitted = fitted_size(size, longest_px)
        return file.upright_rgb(fitted).resize(fitted, Image.Resampling.LANCZOS), size


def fitting_size(files: Sequence[ImageLocation], longest_px: int, budget_bytes: int) -> PhotoSize:
    """The largest size at which all the files together come to about `budget_bytes` of JPEG.

    Measured on up to 32 of them, evenly spread; the smallest size is taken if none fits.
    """
    probes = files[:: max(-(-len(files) // _PROBES), 1)]
    sizes = [PhotoSize(max(round(longest_px * scale), 1), round(60 + 16 * scale)) for scale in _SCALES]
    return next(
        (size for size in sizes if _weigh(probes, size) * len(files) <= budget_bytes * len(probes)), sizes[-1]
    )


def _weigh(files: Sequence[ImageLocation], size: PhotoSize) -> int:
    """Bytes of all of them together."""
    return sum(len(photo.jpeg) for photo in small_photos(files, size))


def small_photos(files: Iterable[ImageLocation], size: PhotoSize) -> Iterator[Photo]:
    """Of each file in order, made by a few threads."""
    return in_order(lambda path: small_photo(path, size), files, threads=_WORKERS)

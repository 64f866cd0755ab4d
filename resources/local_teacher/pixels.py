"""Image files to the square of pixels that the detector takes. Private to the embedded teacher.

Memory stays below one decoded picture of `MAX_PIXELS` and its RGBA copy; a JPEG is decoded at reduced size.
"""

import hashlib
import stat
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from grounding_assets.core.errors import Reason, SampleFailure
from resources.local_teacher.detector import INPUT_SIZE

MAX_PIXELS = 178_956_970
"""Width x height above which a picture is refused: 512 MiB as RGB, where Pillow suspects a decompression bomb."""

TRAINING_SIZE = 640
"""Longest side in pixels of the photos that the model was trained on. A larger picture is first scaled to it with
smoothing, and from there without, as in training; smoothing all the way costs 4 points of accuracy."""

_SQUARE = (INPUT_SIZE, INPUT_SIZE)
_SIDEWAYS = range(5, 9)
"""EXIF orientations under which width and height change places."""
_DECODER_ERRORS = (
    RuntimeError,
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    MemoryError,
    struct.error,
    zlib.error,
)
"""What Pillow's decoders raise on damaged files; they do not agree on one class."""


@dataclass(frozen=True, slots=True, eq=False)
class LocalImage:
    """One image file, reduced to what the detector takes."""

    image_size: tuple[int, int]
    """(width, height) in pixels of the upright original."""
    sha256: str
    """Hex digest of the file's bytes."""
    pixels: np.ndarray
    """(300, 300, 3) uint8 RGB, the whole upright picture squeezed to a square, alpha over white."""


def read_image(image_file: Path) -> LocalImage:
    """Reads the first frame of an image file.

    Raises `SampleFailure` with `image_missing`, `image_unreadable` or `image_too_large`.
    """
    try:
        mode = image_file.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SampleFailure(
            Reason.IMAGE_MISSING, f"There is no image {image_file}; check image_path and data.image_root."
        ) from error
    except (OSError, ValueError) as error:
        raise _unreadable(image_file, error) from error
    if not stat.S_ISREG(mode):
        raise _unreadable(image_file, "it is not a regular file")
    try:
        with image_file.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
            stream.seek(0)
            with Image.open(stream) as image:
                _check_size(image, image_file)
                return _reduced(image, sha256)
    except Image.DecompressionBombError as error:
        raise _too_large(image_file) from error
    except UnidentifiedImageError as error:
        raise _unreadable(image_file, "its format is not known") from error
    except _DECODER_ERRORS as error:
        raise _unreadable(image_file, error) from error


def _check_size(image: Image.Image, image_file: Path) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise _too_large(image_file)
    if width * height == 0:
        raise _unreadable(image_file, "it has no pixels")


def _reduced(image: Image.Image, sha256: str) -> LocalImage:
    width, height = image.size
    image.draft("RGB", (TRAINING_SIZE, TRAINING_SIZE))
    image.load()
    # Asked only now, because a TIFF is turned by its decoder, which then drops the tag.
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    square = _square(image)
    square.getexif()[ExifTags.Base.Orientation] = orientation
    upright_size = (height, width) if orientation in _SIDEWAYS else (width, height)
    return LocalImage(upright_size, sha256, np.asarray(ImageOps.exif_transpose(square)))


def _square(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        layer = _shrunk(image.convert("RGBA"))
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    elif image.mode in ("P", "1"):
        image = _shrunk(image.convert("RGB"))  # these have no colours in between to scale with
    elif image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _stretched(_shrunk(image))
    else:
        image = _shrunk(image)
    return image.convert("RGB").transform(
        _SQUARE, Image.Transform.EXTENT, (0, 0, *image.size), Image.Resampling.BILINEAR
    )


def _shrunk(image: Image.Image) -> Image.Image:
    scale = TRAINING_SIZE / max(image.size)
    if scale >= 1:
        return image
    width, height = (max(round(length * scale), 1) for length in image.size)
    return image.resize((width, height), Image.Resampling.BILINEAR)


def _stretched(image: Image.Image) -> Image.Image:
    """Grey of more than 8 bits as 8 bits: darkest to 0, brightest to 255, since such files tell no range."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float32))
    low, high = values.min(), values.max()
    return Image.fromarray(((values - low) * (255.0 / max(high - low, 1.0))).astype(np.uint8))


def _unreadable(image_file: Path, cause: Exception | str) -> SampleFailure:
    return SampleFailure(
        Reason.IMAGE_UNREADABLE, f"{image_file} cannot be read as an image: {cause}. Replace or convert it."
    )


def _too_large(image_file: Path) -> SampleFailure:
    return SampleFailure(
        Reason.IMAGE_TOO_LARGE, f"{image_file} has more than {MAX_PIXELS:,} pixels; scale it down."
    )

"""From an image file to what is sent: upright, RGB, of a size that no server will change again.

Boxes come back in the frame of the sent image and are mapped to the upright original by one exact
scale per axis, so the two sizes travel together.
"""

import errno
import hashlib
import io
import os
import stat
import struct
import warnings
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from grounding_assets.core.errors import Reason, SampleFailure

MAX_FILE_BYTES = 200 << 20
MAX_PIXELS = Image.MAX_IMAGE_PIXELS or 89_478_485
"""Pillow's own limit for a decompression bomb: above it an image is refused, not decoded."""
MIME_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "JPEG2000", "AVIF")
"""What is opened. Pillow reads more, some of it by starting another program (EPS)."""
_JPEG_END = b"\xff\xd9"
_EXIF_ORIENTATION = 0x0112
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_TURN_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""By EXIF orientation; from 5 on, width and height change places."""
_DECODER_ERRORS = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    SyntaxError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
)
"""What Pillow's decoders raise on damaged files; they do not agree on one class."""
_JPEG_QUALITIES = (92, 85, 75, 65, 50)


@dataclass(frozen=True, slots=True)
class ImagePolicy:
    """What an endpoint and a model family take.

    The defaults suit a model that scales boxes itself: any size, at most 20 MB.
    """

    max_side_px: int = 4096
    max_pixels: int = 4096 * 4096
    multiple_of: int = 1
    """Both sides are made multiples of this, so that a server's own resize changes nothing."""
    min_side_px: int = 1
    max_bytes: int = 20 << 20
    """Of the encoded file, before base64."""
    mime_types: frozenset[str] = frozenset(MIME_TYPES.values())

    def sent_size(self, width: int, height: int) -> tuple[int, int]:
        """The size to send an upright image of `width` x `height` pixels in.

        Raises:
            SampleFailure: no allowed size keeps at least one step of `multiple_of` per side.
        """
        step, longer, pixels = self.multiple_of, max(width, height), width * height
        smallest, largest = -(-self.min_side_px // step) * step, self.max_side_px // step * step
        shrunk = min(1.0, self.max_side_px / longer, (self.max_pixels / pixels) ** 0.5)
        scale = max(shrunk, self.min_side_px / min(width, height))
        # enlarging the short side to its minimum can make the long one too long
        fits = scale == shrunk or (
            longer * scale <= self.max_side_px and pixels * scale**2 <= self.max_pixels
        )
        sides = [min(max(round(side * scale / step) * step, smallest), largest) for side in (width, height)]
        while sides[0] * sides[1] > self.max_pixels and max(sides) > smallest:
            sides[sides.index(max(sides))] -= step
        if not fits or min(sides) < smallest or sides[0] * sides[1] > self.max_pixels:
            raise SampleFailure(
                Reason.IMAGE_TOO_LARGE,
                f"The image is {width} x {height} pixels, too long and thin for this model; crop it.",
            )
        return sides[0], sides[1]


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """An encoded image ready to be sent inline."""

    base64: bytes
    """The encoded image in base64: made once, sent by both steps."""
    mime_type: str
    sent_size: tuple[int, int]
    """(width, height) in pixels of the encoded image."""
    image_size: tuple[int, int]
    """(width, height) in pixels of the upright original."""
    sha256: str
    """Of the original file."""
    as_is: bool
    """Whether the encoded image is the original file, byte for byte."""

    @property
    def encoded(self) -> bytes:
        return b64decode(self.base64)


def prepare_image(path: Path, policy: ImagePolicy) -> PreparedImage:
    """Reads, checks and encodes; a file that needs no change is sent as it is.

    Raises:
        SampleFailure: IMAGE_MISSING, IMAGE_UNREADABLE or IMAGE_TOO_LARGE.
    """
    raw = read_image_bytes(path)
    sha256 = hashlib.sha256(raw).hexdigest()
    with opened(raw, path) as image:
        mime_type = MIME_TYPES.get(image.format or "", "")
        orientation = _orientation(image, path)
        upright_size = _turned(image.size, orientation)
        sent_size = policy.sent_size(*upright_size)
        as_is = (
            mime_type in policy.mime_types
            and image.mode == "RGB"
            and sent_size == image.size
            and orientation == 1
            and not image.has_transparency_data
            and len(raw) <= policy.max_bytes
            and getattr(image, "n_frames", 1) == 1
        )
        if as_is:
            # a file that was cut shows only when it is decoded, or by a JPEG's missing end marker
            if image.format != "JPEG" or not raw.endswith(_JPEG_END):
                upright_rgb(image, path, (1, 1))
            return PreparedImage(b64encode(raw), mime_type, sent_size, upright_size, sha256, True)
        pixels = upright_rgb(image, path, sent_size)
        encoded, sent_size = _encode(pixels, sent_size, policy, path)
        return PreparedImage(b64encode(encoded), "image/jpeg", sent_size, upright_size, sha256, False)


def encode_picture(pixels: Image.Image, policy: ImagePolicy, sha256: str) -> PreparedImage:
    """A picture that was made here, of a file with this digest; its own size counts as the original's.

    Raises:
        SampleFailure: IMAGE_TOO_LARGE.
    """
    encoded, sent_size = _encode(pixels, policy.sent_size(*pixels.size), policy, Path("The drawn picture"))
    return PreparedImage(b64encode(encoded), "image/jpeg", sent_size, pixels.size, sha256, False)


def declared_or_header_size(path: Path, declared: tuple[int, int] | None) -> tuple[int, int]:
    """The upright image's size; where it cannot be read the declared one, else TAO's 1920 x 1080."""
    try:
        with opened(read_image_bytes(path), path) as image:
            return _turned(image.size, _orientation(image, path))
    except SampleFailure:
        return declared or (1920, 1080)


def read_image_bytes(path: Path) -> bytes:
    try:
        # without waiting: nobody may ever write into a pipe
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise SampleFailure(Reason.IMAGE_UNREADABLE, f"{path} is not a file.")
            if status.st_size > MAX_FILE_BYTES:
                size = f"{status.st_size >> 20} MB"
                raise SampleFailure(Reason.IMAGE_TOO_LARGE, f"{path} has {size}; the limit is 200.")
            raw = b"".join(iter(lambda: os.read(descriptor, max(status.st_size, 1 << 16)), b""))
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) in _ABSENT:
            where = "Check image_path and image_grounding.data.image_root."
            raise SampleFailure(Reason.IMAGE_MISSING, f"No image at {path}. {where}") from None
        reason = getattr(error, "strerror", None) or str(error)
        raise SampleFailure(Reason.IMAGE_UNREADABLE, f"Cannot read {path}: {reason}.") from None
    if not raw:
        raise SampleFailure(Reason.IMAGE_UNREADABLE, f"{path} is empty.")
    return raw


def opened(raw: bytes, path: Path) -> Image.Image:
    """The image with only its header read; its size is checked."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(raw), formats=_FORMATS)
    except UnidentifiedImageError:
        raise SampleFailure(Reason.IMAGE_UNREADABLE, f"{path} is not an image that can be read.") from None
    except Image.DecompressionBombError:
        raise SampleFailure(Reason.IMAGE_TOO_LARGE, f"{path} has over {2 * MAX_PIXELS} pixels.") from None
    except _DECODER_ERRORS as error:
        raise SampleFailure(Reason.IMAGE_UNREADABLE, f"{path} cannot be read: {error}.") from None
    if image.width * image.height > MAX_PIXELS:
        raise SampleFailure(
            Reason.IMAGE_TOO_LARGE,
            f"{path} is {image.width} x {image.height} pixels; the limit is {MAX_PIXELS} in all.",
        )
    return image


def upright_rgb(image: Image.Image, path: Path, reduce_to: tuple[int, int] | None = None) -> Image.Image:
    """EXIF applied, first frame, alpha over white, 16 bits scaled to 8.

    `reduce_to` is the size that will be asked for afterwards: a JPEG may be decoded at a fraction
    of its size that is still at least that, which bounds time and memory.
    """
    orientation = _orientation(image, path)
    with _decoding(path):
        if reduce_to:
            image.draft("RGB", _turned(reduce_to, orientation))
        image.load()
        turn = _TURN_UPRIGHT.get(orientation)
        return _to_rgb(image if turn is None else image.transpose(turn))


@contextmanager
def _decoding(path: Path) -> Iterator[None]:
    try:
        yield
    except Image.DecompressionBombError:
        raise SampleFailure(Reason.IMAGE_TOO_LARGE, f"{path} holds too many pixels.") from None
    except _DECODER_ERRORS as error:
        raise SampleFailure(Reason.IMAGE_UNREADABLE, f"{path} cannot be decoded: {error}.") from None


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_eight_bits(image)).convert("RGB")
    if image.has_transparency_data:
        layered = image if image.mode == "RGBA" else image.convert("RGBA")
        flat = Image.new("RGB", layered.size, "white")
        flat.paste(layered, mask=layered.getchannel("A"))
        return flat
    return image if image.mode == "RGB" else image.convert("RGB")


def _eight_bits(image: Image.Image) -> NDArray[np.uint8]:
    """Grey levels scaled to 0-255; Pillow's own conversion clips what is above 255."""
    levels = np.asarray(image)
    if levels.dtype.kind == "u" and levels.dtype.itemsize == 2:
        return (levels >> 8).astype(np.uint8)
    top = float(levels.max())
    scale = 255.0 if levels.dtype.kind == "f" and top <= 1 else 1 / 257 if top > 255 else 1.0
    return np.clip(levels.astype(np.float32) * scale, 0, 255).astype(np.uint8)


def _orientation(image: Image.Image, path: Path) -> int:
    """EXIF orientation, 1 to 8; 0, to be shown as it is stored, where what the file says makes no sense."""
    if image.format in ("PNG", "TIFF"):
        # the EXIF of a PNG may stand behind its pixels, and Pillow turns a TIFF upright while decoding
        with _decoding(path):
            image.load()
    try:
        orientation = image.getexif().get(_EXIF_ORIENTATION, 1)
    except _DECODER_ERRORS:
        return 0
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 0


def _turned(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    return (size[1], size[0]) if orientation >= 5 else size


def _encode(
    pixels: Image.Image, size: tuple[int, int], policy: ImagePolicy, path: Path
) -> tuple[bytes, tuple[int, int]]:
    """JPEG of at most `max_bytes`: lower quality first, then a smaller picture."""
    for shrink in (1.0, 0.7, 0.5, 0.35, 0.25):
        smaller = (
            size if shrink == 1.0 else policy.sent_size(*(max(1, round(side * shrink)) for side in size))
        )
        scaled = pixels if pixels.size == smaller else pixels.resize(smaller, Image.Resampling.LANCZOS)
        for quality in _JPEG_QUALITIES:
            buffer = io.BytesIO()
            scaled.save(buffer, "JPEG", quality=quality)
            if buffer.tell() <= policy.max_bytes:
                return buffer.getvalue(), smaller
    raise SampleFailure(
        Reason.IMAGE_TOO_LARGE,
        f"{path} does not fit into the {policy.max_bytes} bytes that this endpoint takes.",
    )

"""The one reader of image files: any format to upright RGB of 8 bits, in bounded memory.

Callers say how large they will use a picture; a larger one is decoded or averaged down to about that. What is
sent to a model, and in which size, is `prepared_image`; more than 8 bits a channel become 8 in `levels`.
"""

import errno
import io
import os
import stat
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.images.damage import silent_damage
from grounding_assets.core.images.levels import DeepPixels, is_deep
from grounding_assets.core.images.locations import ImageLocation
from grounding_assets.core.images.not_images import words_for
from grounding_assets.core.images.pixel_budget import PixelBudget

MAX_FILE_BYTES = 200 << 20
MAX_PIXELS = 1 << 28
"""Width x height above which an image is refused, by its header alone: 268 megapixels, above the 200 of today's
phones and the 16,383 x 16,383 of WebP. Decoding takes 1 to 8 bytes a pixel (RGB: 4), a baseline JPEG far less."""
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
DECODED = PixelBudget(1 << 27)
"""What all threads hold decoded at a time: 134 megapixels, half a GB of RGB; a larger image is decoded alone. A small
file can hold much: a PNG of 344 kB decodes to 89 megapixels."""
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "JPEG2000", "AVIF")
"""What is opened. Pillow reads more, some of it by starting another program (EPS)."""
_EXIF_ORIENTATION = 0x0112
NOT_THERE = "Check image_path and image_grounding.data.image_root."
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
_PNG_TAGS = (b"eXIf", b"tEXt", b"zTXt", b"iTXt")
"""Chunks that can hold EXIF. They may stand behind the pixels, where Pillow finds them only after decoding."""
_STRIP_PIXELS = 1 << 22
"""Pixels of a strip: what is converted at a time, so that no second picture of the full size exists."""


class ImageFile:
    """An image file whose header is read; pixels are decoded when asked for. A context manager."""

    def __init__(self, raw: bytes, path: ImageLocation):
        """`raw` is the file's content, `path` what messages call it.

        Raises:
            SampleFailure: IMAGE_UNREADABLE, or IMAGE_TOO_LARGE if the header says over `MAX_PIXELS`.
        """
        self._raw, self._path = raw, path
        self._held = 0
        self._image = _opened(raw, path)
        # asked before decoding, which forgets both
        self._stored_size, self._deep = self._image.size, is_deep(self._image)
        try:
            self._orientation = self._read_orientation()
        except BaseException:
            self.close()
            raise

    @property
    def image_size(self) -> tuple[int, int]:
        """(width, height) in pixels of the upright original."""
        return self._turned(self._stored_size)

    @property
    def format(self) -> str:
        """Pillow's name, such as JPEG."""
        return self._image.format or ""

    @property
    def is_turned(self) -> bool:
        """Whether EXIF asks to turn or mirror it, so that programs that do not apply EXIF show it otherwise."""
        return self._orientation > 1

    @property
    def is_plain(self) -> bool:
        """Whether every program shows the same in it: one upright RGB picture of 8 bits, not see-through."""
        return (
            self._image.mode == "RGB"
            and self._orientation == 1
            and not self._deep
            and not self._image.has_transparency_data
            and getattr(self._image, "n_frames", 1) == 1
        )

    def upright_rgb(self, at_least: tuple[int, int] | None = None) -> Image.Image:
        """The first frame as RGB: EXIF applied, alpha over white, deep levels scaled by the range of their data.

        Args:
            at_least: (width, height), upright, that the picture will be used in. A larger one comes back reduced
                by a whole number, still at least that large. None: full size.

        Raises:
            SampleFailure: IMAGE_UNREADABLE, a file that was cut included; IMAGE_TOO_LARGE.
        """
        wanted = self._turned(at_least) if at_least else self._stored_size
        with _decoding(self._path):
            self._image.draft("RGB", wanted)
            self._decode()
            pixels = _reduced_rgb(
                self._image, wanted, DeepPixels(self._image, self._raw) if self._deep else None
            )
            turn = _TURN_UPRIGHT.get(self._orientation)
            return pixels if turn is None else pixels.transpose(turn)

    def __enter__(self) -> "ImageFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the file's content and of the room for its pixels."""
        self._image.close()
        DECODED.give_back(self._held)
        self._held = 0

    def _decode(self) -> None:
        if self._held:
            return
        self._held = DECODED.take(self._image.width * self._image.height)
        self._image.load()
        if damage := silent_damage(self._image, self._raw, self._stored_size[1]):
            raise OSError(damage)

    def _turned(self, size: tuple[int, int]) -> tuple[int, int]:
        return (size[1], size[0]) if self._orientation >= 5 else size

    def _read_orientation(self) -> int:
        """EXIF orientation, 1 to 8; 0, to be shown as it is stored, if what the file says makes no sense."""
        image = self._image
        if image.format == "TIFF":
            return 1  # Pillow turns it while decoding, and gives the upright size before
        if image.format == "PNG":
            if not any(tag in self._raw for tag in _PNG_TAGS):
                return 1
            with _decoding(self._path):  # asking for EXIF decodes too, and forgets that it failed
                self._decode()
        try:
            orientation = image.getexif().get(_EXIF_ORIENTATION, 1)
        except _DECODER_ERRORS:
            return 0
        return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 0


def open_image(path: ImageLocation) -> ImageFile:
    """Reads a file and its header.

    Raises:
        SampleFailure, StorageUnavailable: see `read_image_bytes`.
    """
    return ImageFile(read_image_bytes(path), path)


def fitted_size(size: tuple[int, int], longest_px: int) -> tuple[int, int]:
    """(width, height) of the same shape with no side over `longest_px`; a smaller size stays.

    >>> fitted_size((4000, 3000), 1000), fitted_size((1, 5000), 100), fitted_size((60, 40), 100)
    ((1000, 750), (1, 100), (60, 40))
    """
    scale = min(1.0, longest_px / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def read_image_bytes(path: ImageLocation, most: int = MAX_FILE_BYTES) -> bytes:
    """The content of an image file, or its first bytes, `most` of them or a few more.

    Raises:
        SampleFailure: IMAGE_MISSING, IMAGE_FORBIDDEN, IMAGE_UNREADABLE, or IMAGE_TOO_LARGE above `MAX_FILE_BYTES`.
        StorageUnavailable: object storage does not answer.
    """
    raw = _read_file(path, most) if isinstance(path, Path) else path.read(most)
    if not raw:
        raise SampleFailure(Reason.IMAGE_UNREADABLE, f"{path} is empty.")
    return raw


def _read_file(path: Path, most: int) -> bytes:
    try:
        # without waiting: nobody may ever write into a pipe
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise SampleFailure(Reason.IMAGE_UNREADABLE, f"{path} is not a file.")
            if status.st_size > MAX_FILE_BYTES:
                size = f"{status.st_size >> 20} MB"
                raise SampleFailure(
                    Reason.IMAGE_TOO_LARGE, f"{path} has {size}; the limit is {MAX_FILE_BYTES >> 20}."
                )
            return _read_bytes(descriptor, min(max(status.st_size, 1 << 16), most), most)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) in _ABSENT:
            raise SampleFailure(Reason.IMAGE_MISSING, f"No image at {path}. {NOT_THERE}") from None
        reason = getattr(error, "strerror", None) or str(error)
        raise SampleFailure(Reason.IMAGE_UNREADABLE, f"Cannot read {path}: {reason}.") from None


def _read_bytes(descriptor: int, at_a_time: int, most: int) -> bytes:
    parts, size = [], 0
    while size < most and (part := os.read(descriptor, at_a_time)):
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def _opened(raw: bytes, path: ImageLocation) -> Image.Image:
    """The image with only its header read; its size is checked."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(raw), formats=_FORMATS)
    except UnidentifiedImageError:
        raise SampleFailure(Reason.IMAGE_UNREADABLE, f"{path} {words_for(raw)}") from None
    except Image.DecompressionBombError:
        raise SampleFailure(Reason.IMAGE_TOO_LARGE, f"{path} has {_OVER}") from None
    except _DECODER_ERRORS as error:
        raise SampleFailure(Reason.IMAGE_UNREADABLE, f"{path} cannot be read: {error}.") from None
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise SampleFailure(Reason.IMAGE_TOO_LARGE, f"{path}, {width} x {height} pixels, has {_OVER}")
    if width * height == 0:
        raise SampleFailure(Reason.IMAGE_UNREADABLE, f"{path} has no pixels.")
    return image


_OVER = f"over {MAX_PIXELS:,} pixels, the limit. Scale it down."


@contextmanager
def _decoding(path: ImageLocation) -> Iterator[None]:
    try:
        yield
    except Image.DecompressionBombError:
        raise SampleFailure(Reason.IMAGE_TOO_LARGE, f"{path} has {_OVER}") from None
    except _DECODER_ERRORS as error:
        raise SampleFailure(Reason.IMAGE_UNREADABLE, f"{path} cannot be decoded: {error}.") from None


def _reduced_rgb(image: Image.Image, wanted: tuple[int, int], deep: DeepPixels | None) -> Image.Image:
    """A decoded image as RGB, reduced by a whole number to at least `wanted`, strip by strip."""
    factor = max(1, min(image.width // wanted[0], image.height // wanted[1]))
    if factor == 1 and image.mode == "RGB" and not deep and not image.has_transparency_data:
        return image
    reduced = Image.new("RGB", (-(-image.width // factor), -(-image.height // factor)))
    rows = max(1, _STRIP_PIXELS // image.width // factor) * factor
    for top in range(0, image.height, rows):
        box = (0, top, image.width, min(top + rows, image.height))
        strip = _over_white(deep.eight_bits(box) if deep else image.crop(box))
        reduced.paste(strip.reduce(factor) if factor > 1 else strip, (0, top // factor))
    return reduced


def _over_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    flat = Image.new("RGB", layer.size, "white")
    flat.paste(layer, mask=layer.getchannel("A"))
    return flat

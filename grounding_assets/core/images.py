"""From an image file to what is sent: upright, RGB, of a size that no server will change again.

Boxes come back in the frame of the sent image and are mapped to the upright original by one exact
scale per axis, so the two sizes travel together.
"""

import hashlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from grounding_assets.core.errors import Reason, SampleFailure

MAX_FILE_BYTES = 200 << 20
MAX_PIXELS = Image.MAX_IMAGE_PIXELS or 89_478_485
"""Pillow's own limit for a decompression bomb: above it an image is refused, not decoded."""
MIME_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
_EXIF_ORIENTATION = 0x0112
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
        scale = min(1.0, self.max_side_px / max(width, height), (self.max_pixels / (width * height)) ** 0.5)
        scale = max(scale, self.min_side_px / min(width, height))
        step = self.multiple_of
        sides = [max(step, round(side * scale / step) * step) for side in (width, height)]
        while sides[0] * sides[1] > self.max_pixels and max(sides) > step:
            sides[sides.index(max(sides))] -= step
        if max(sides) > max(self.max_side_px, step) or min(sides) < self.min_side_px:
            raise SampleFailure(
                Reason.IMAGE_TOO_LARGE,
                f"The image is {width} x {height} pixels, too long and thin for this model; crop it.",
            )
        return sides[0], sides[1]


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """An encoded image ready to be sent inline."""

    encoded: bytes
    mime_type: str
    sent_size: tuple[int, int]
    """(width, height) in pixels of `encoded`."""
    image_size: tuple[int, int]
    """(width, height) in pixels of the upright original."""
    sha256: str
    """Of the original file."""
    as_is: bool
    """Whether `encoded` is the original file, byte for byte."""


def prepare_image(path: Path, policy: ImagePolicy) -> PreparedImage:
    """Reads, checks and encodes; a file that needs no change is sent as it is.

    Raises:
        SampleFailure: IMAGE_MISSING, IMAGE_UNREADABLE or IMAGE_TOO_LARGE.
    """
    raw = read_image_bytes(path)
    sha256 = hashlib.sha256(raw).hexdigest()
    with opened(raw, path) as image:
        mime_type = MIME_TYPES.get(image.format or "", "")
        upright_size = _upright_size(image)
        sent_size = policy.sent_size(*upright_size)
        as_is = (
            mime_type in policy.mime_types
            and image.mode == "RGB"
            and sent_size == image.size == upright_size
            and image.getexif().get(_EXIF_ORIENTATION, 1) == 1
            and len(raw) <= policy.max_bytes
            and getattr(image, "n_frames", 1) == 1
        )
        # a truncated file shows only when its pixels are decoded, so decode even what is sent as it is
        pixels = _decoded(image, path, sent_size if not as_is else None)
        if as_is:
            return PreparedImage(raw, mime_type, sent_size, upright_size, sha256, True)
        encoded, sent_size = _encode(pixels, sent_size, policy, path)
        return PreparedImage(encoded, "image/jpeg", sent_size, upright_size, sha256, False)


def declared_or_header_size(path: Path, declared: tuple[int, int] | None) -> tuple[int, int]:
    """The upright image's size; where it cannot be read the declared one, else TAO's 1920 x 1080."""
    try:
        with opened(read_image_bytes(path), path) as image:
            return _upright_size(image)
    except SampleFailure:
        return declared or (1920, 1080)


def read_image_bytes(path: Path) -> bytes:
    try:
        if not path.is_file():
            if path.exists():
                raise SampleFailure(Reason.IMAGE_UNREADABLE, f"{path} is not a file.")
            raise SampleFailure(
                Reason.IMAGE_MISSING,
                f"No image at {path}. Check image_path and image_grounding.data.image_root.",
            )
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise SampleFailure(Reason.IMAGE_TOO_LARGE, f"{path} has {size >> 20} MB; the limit is 200.")
        raw = path.read_bytes()
    except (OSError, ValueError) as error:
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
            image = Image.open(io.BytesIO(raw))
    except UnidentifiedImageError:
        raise SampleFailure(Reason.IMAGE_UNREADABLE, f"{path} is not an image that can be read.") from None
    except Image.DecompressionBombError:
        raise SampleFailure(Reason.IMAGE_TOO_LARGE, f"{path} has over {2 * MAX_PIXELS} pixels.") from None
    except (OSError, ValueError, SyntaxError, MemoryError) as error:
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
    try:
        if reduce_to:
            turned = image.getexif().get(_EXIF_ORIENTATION, 1) >= 5
            image.draft("RGB", (reduce_to[1], reduce_to[0]) if turned else reduce_to)
        image.load()
        upright = ImageOps.exif_transpose(image)
        return _to_rgb(upright)
    except Image.DecompressionBombError:
        raise SampleFailure(Reason.IMAGE_TOO_LARGE, f"{path} holds too many pixels.") from None
    except (OSError, ValueError, SyntaxError, IndexError, EOFError, MemoryError) as error:
        raise SampleFailure(Reason.IMAGE_UNREADABLE, f"{path} cannot be decoded: {error}.") from None


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_eight_bits(image)).convert("RGB")
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        white = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(white, layered).convert("RGB")
    return image.convert("RGB")


def _eight_bits(image: Image.Image) -> NDArray[np.uint8]:
    """Grey levels scaled to 0-255; Pillow's own conversion clips what is above 255."""
    levels = np.asarray(image)
    if levels.dtype == np.uint16:
        return (levels >> 8).astype(np.uint8)
    top = float(levels.max())
    scale = 255.0 if levels.dtype.kind == "f" and top <= 1 else 1 / 257 if top > 255 else 1.0
    return np.clip(levels.astype(np.float32) * scale, 0, 255).astype(np.uint8)


def _upright_size(image: Image.Image) -> tuple[int, int]:
    turned = image.getexif().get(_EXIF_ORIENTATION, 1) >= 5
    return (image.height, image.width) if turned else image.size


def _decoded(image: Image.Image, path: Path, reduce_to: tuple[int, int] | None) -> Image.Image:
    return upright_rgb(image, path, reduce_to)


def _encode(
    pixels: Image.Image, size: tuple[int, int], policy: ImagePolicy, path: Path
) -> tuple[bytes, tuple[int, int]]:
    """JPEG of at most `max_bytes`: lower quality first, then a smaller picture."""
    for shrink in (1.0, 0.7, 0.5, 0.35, 0.25):
        smaller = (
            size if shrink == 1.0 else policy.sent_size(round(size[0] * shrink), round(size[1] * shrink))
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

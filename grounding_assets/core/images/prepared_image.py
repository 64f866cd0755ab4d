"""From an image file to what is sent: of a size that no server will change again.

Boxes come back in the frame of the sent image and are mapped to the upright original by one exact
scale per axis, so the two sizes travel together. Reading files is `image_file`'s.
"""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from pybase64 import b64decode, b64encode

from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.images.image_file import ImageFile, open_image, read_image_bytes
from grounding_assets.core.images.image_policy import MIME_TYPES, ImagePolicy
from grounding_assets.core.images.locations import ImageLocation

_JPEG_END = b"\xff\xd9"
_JPEG_QUALITIES = (92, 85, 75, 65, 50)


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


def prepare_image(path: ImageLocation, policy: ImagePolicy) -> PreparedImage:
    """Reads, checks and encodes; a file that needs no change is sent as it is.

    Raises:
        SampleFailure, StorageUnavailable: see `read_image_bytes`.
    """
    raw = read_image_bytes(path)
    sha256 = hashlib.sha256(raw).hexdigest()
    with ImageFile(raw, path) as file:
        mime_type = MIME_TYPES.get(file.format, "")
        size = file.image_size
        sent_size = policy.sent_size(*size)
        as_is = (
            mime_type in policy.mime_types
            and sent_size == size
            and len(raw) <= policy.max_bytes
            and file.is_plain
        )
        if as_is:
            # a file that was cut shows only when it is decoded, or by a JPEG's missing end marker
            if file.format != "JPEG" or not raw.endswith(_JPEG_END):
                file.upright_rgb((1, 1))
            return PreparedImage(b64encode(raw), mime_type, sent_size, size, sha256, True)
        encoded, sent_size = _encode(file.upright_rgb(sent_size), sent_size, policy, path)
        return PreparedImage(b64encode(encoded), "image/jpeg", sent_size, size, sha256, False)


def encode_picture(pixels: Image.Image, policy: ImagePolicy, sha256: str) -> PreparedImage:
    """A picture that was made here, of a file with this digest; its own size counts as the original's.

    Raises:
        SampleFailure: IMAGE_TOO_LARGE.
    """
    encoded, sent_size = _encode(pixels, policy.sent_size(*pixels.size), policy, Path("The drawn picture"))
    return PreparedImage(b64encode(encoded), "image/jpeg", sent_size, pixels.size, sha256, False)


def declared_or_header_size(path: ImageLocation, declared: tuple[int, int] | None) -> tuple[int, int]:
    """The upright image's size; if it cannot be read the declared one, else TAO's 1920 x 1080."""
    try:
        with open_image(path) as file:
            return file.image_size
    except SampleFailure:
        return declared or (1920, 1080)


def _encode(
    pixels: Image.Image, size: tuple[int, int], policy: ImagePolicy, path: ImageLocation
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

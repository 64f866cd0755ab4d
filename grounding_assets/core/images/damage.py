"""Damage that Pillow decodes without a word: it fills with grey or black what the file does not hold."""

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

_ZERO_TAIL = 512
"""So many zero bytes at the end of compressed pixels are room that was reserved and never written."""
_FILLED_GREY = 128
"""The level of what a JPEG does not hold."""
_ROUNDING = 2
"""Levels by which brightness may differ from it."""
_SMALLEST_BLOCK = {1: 8, 2: 4, 4: 2}
"""Side in pixels of a JPEG's blocks, by how far they were reduced while decoding; 8 times leaves one pixel."""
_ZEROS = "it ends in zeros where pixels should be"
_SAMPLES_OF_COLOUR_TYPE = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_INFLATED_AT_A_TIME = 1 << 20


def silent_damage(image: Image.Image, raw: bytes, full_height: int) -> str | None:
    """What is missing of a decoded picture, in words; None if nothing is known to be.

    Args:
        image: decoded, neither turned nor reduced since.
        raw: the file's content.
        full_height: as the header says, in pixels; `image` may have been reduced while decoding.
    """
    if image.format in ("JPEG", "MPO"):
        # marks of a scan's begin and of the picture's end
        unended = raw.rfind(b"\xff\xda") > raw.rfind(b"\xff\xd9")
        if unended and raw.endswith(bytes(_ZERO_TAIL)):
            return _ZEROS
        if _breaks_off_in_grey(image, _SMALLEST_BLOCK.get(round(full_height / image.height), 1)):
            return "it breaks off, and the rest of it is grey"
    elif image.format in ("WEBP", "AVIF") and raw.endswith(bytes(_ZERO_TAIL)):
        return _ZEROS
    elif image.format == "PNG" and _ends_in_nothing(image) and _lacks_rows(raw):
        return "it holds fewer rows than it says"
    return None


def _ends_in_nothing(image: Image.Image) -> bool:
    return image.crop((0, image.height - 1, image.width, image.height)).getbbox() is None


def _breaks_off_in_grey(image: Image.Image, block: int) -> bool:
    """Whether a picture turns grey within a row of blocks and stays so; one that was padded has a straight edge."""
    width, height = image.size
    lowest = bottom = height // block * block
    while bottom >= block and _is_filled(image, (0, bottom - block, width, bottom)):
        bottom -= block
    if bottom == lowest or bottom < block:
        return False
    above = bottom - 3 * block
    is_padded = above >= 0 and _is_filled(image, (width - block, above, width, above + block))
    return not is_padded and _is_filled(image, (width - block, bottom - block, width, bottom))


def _is_filled(image: Image.Image, box: tuple[int, int, int, int]) -> bool:
    """By brightness alone: the colours of pixels run into what is filled below them."""
    levels = np.asarray(image.crop(box).convert("L"), dtype=np.int16)
    return bool(np.all(np.abs(levels - _FILLED_GREY) <= _ROUNDING))


def _lacks_rows(raw: bytes) -> bool:
    """Whether the pixels of a PNG that is not interlaced are fewer than its header says."""
    width, height, depth, colour_type, _, _, interlaced = struct.unpack(">IIBBBBB", raw[16:29])
    if interlaced:
        return False
    row = 1 + (width * depth * _SAMPLES_OF_COLOUR_TYPE.get(colour_type, 1) + 7) // 8
    inflater, size = zlib.decompressobj(), 0
    for part in _pixel_chunks(raw):
        while part and not inflater.eof:
            size += len(inflater.decompress(part, _INFLATED_AT_A_TIME))
            part = inflater.unconsumed_tail
    return size < row * height


def _pixel_chunks(raw: bytes) -> Iterator[bytes]:
    at = 8
    while at + 8 <= len(raw):
        length, kind = struct.unpack(">I4s", raw[at : at + 8])
        if kind == b"IDAT":
            yield raw[at + 8 : at + 8 + length]
        at += 12 + length

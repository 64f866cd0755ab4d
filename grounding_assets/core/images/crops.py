"""The pictures that step 2 asks about: a photo with boxes drawn on it, and a box enlarged.

Boxes are `xyxy` pixels of the upright original. What is asked and how it is sent is decided elsewhere.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from grounding_assets.core.boxes.coordinates import XyxyBox
from grounding_assets.core.images.image_file import ImageFile, fitted_size, read_image_bytes
from grounding_assets.core.images.image_policy import ImagePolicy
from grounding_assets.core.images.locations import ImageLocation
from grounding_assets.core.images.prepared_image import PreparedImage, encode_picture

WORKING_SIDE_PX = 2048
"""A photo is kept at most this long for the time of its questions: 12 MB."""
PANEL_SIDE_PX = 1024
"""Longest side of a panel."""
LINE_PX = 3
MARGIN_SHARE = 0.25
"""Margin on each side of a crop, as a share of the box's side …"""
MARGIN_PX = 32
"""… and at least so many pixels of the original."""
GAP_PX = 8
_PAPER = "white"
COLOURS = {
    "magenta": (255, 0, 255),
    "cyan": (0, 255, 255),
    "yellow": (255, 255, 0),
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
}
_SAMPLED = (48, 48)


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo that was read for its questions."""

    pixels: Image.Image
    """Upright RGB, its longer side at most `WORKING_SIDE_PX`."""
    image_size: tuple[int, int]
    """(width, height) in pixels of the upright original."""
    sha256: str
    colour: str
    """Of the boxes: the name in `COLOURS` of the one that the photo has least of."""


def read_photo(path: ImageLocation) -> Photo:
    """Reads and decodes a photo.

    Raises:
        SampleFailure, StorageUnavailable: see `read_image_bytes`.
    """
    raw = read_image_bytes(path)
    with ImageFile(raw, path) as file:
        size = file.image_size
        working_size = fitted_size(size, WORKING_SIDE_PX)
        pixels = file.upright_rgb(working_size).resize(working_size, Image.Resampling.BICUBIC)
    return Photo(pixels, size, hashlib.sha256(raw).hexdigest(), contrasting_colour(pixels))


def contrasting_colour(pixels: Image.Image) -> str:
    """The colour whose nearest pixels of the picture are farthest from it; the first one of equals."""
    sampled = np.asarray(pixels.resize(_SAMPLED, Image.Resampling.NEAREST), dtype=np.int32).reshape(-1, 3)

    def clearance(rgb: tuple[int, int, int]) -> float:
        distances = np.sqrt(((sampled - np.array(rgb)) ** 2).sum(axis=1))
        return float(np.quantile(distances, 0.02))

    return max(COLOURS, key=lambda name: clearance(COLOURS[name]))


def crop_box(box: XyxyBox, image_size: tuple[int, int]) -> XyxyBox:
    """The box with its margin, cut at the edges of the image.

    >>> crop_box((100, 100, 300, 140), (320, 240))
    (50.0, 68, 320, 172)
    """
    x1, y1, x2, y2 = box
    dx, dy = (max(MARGIN_PX, MARGIN_SHARE * side) for side in (x2 - x1, y2 - y1))
    return max(0, x1 - dx), max(0, y1 - dy), min(image_size[0], x2 + dx), min(image_size[1], y2 + dy)


def photo_with_boxes(photo: Photo, boxes: Sequence[XyxyBox], policy: ImagePolicy) -> PreparedImage:
    """The whole photo with the boxes drawn on it.

    Raises:
        SampleFailure: IMAGE_TOO_LARGE, if it cannot be sent in a size that the policy allows.
    """
    size = _fitted(photo.image_size, (1, 1), policy)
    return encode_picture(_drawn(photo, boxes, (0, 0, *photo.image_size), size), policy, photo.sha256)


def photo_and_crop(photo: Photo, box: XyxyBox, policy: ImagePolicy) -> PreparedImage:
    """Two panels of one size: the whole photo with the box, and right of it (a wide photo: below it) the crop.

    One picture, because not every endpoint takes two in a request.

    Raises:
        SampleFailure: IMAGE_TOO_LARGE.
    """
    wide = photo.image_size[0] >= photo.image_size[1]
    panel = _fitted(photo.image_size, (1, 2) if wide else (2, 1), policy)
    whole = _drawn(photo, [box], (0, 0, *photo.image_size), panel)
    part = crop_box(box, photo.image_size)
    scale = min(panel[0] / (part[2] - part[0]), panel[1] / (part[3] - part[1]))
    crop_size = (
        max(1, min(panel[0], round((part[2] - part[0]) * scale))),
        max(1, min(panel[1], round((part[3] - part[1]) * scale))),
    )
    crop = _drawn(photo, [box], part, crop_size)
    offset = (0, panel[1] + GAP_PX) if wide else (panel[0] + GAP_PX, 0)
    canvas = Image.new("RGB", (offset[0] + panel[0], offset[1] + panel[1]), _PAPER)
    canvas.paste(whole, (0, 0))
    canvas.paste(
        crop, (offset[0] + (panel[0] - crop_size[0]) // 2, offset[1] + (panel[1] - crop_size[1]) // 2)
    )
    return encode_picture(canvas, policy, photo.sha256)


def _fitted(image_size: tuple[int, int], panels: tuple[int, int], policy: ImagePolicy) -> tuple[int, int]:
    """Size of a panel of the image's shape, so that all of them together need no further shrinking."""
    columns, rows = panels
    width, height = fitted_size(image_size, PANEL_SIDE_PX)
    whole = columns * width + (columns - 1) * GAP_PX, rows * height + (rows - 1) * GAP_PX
    sent = policy.sent_size(*whole)
    scale = min(1.0, PANEL_SIDE_PX / max(image_size)) * min(1.0, sent[0] / whole[0], sent[1] / whole[1])
    width, height = (max(1, round(side * scale)) for side in image_size)
    return width, height


def _drawn(photo: Photo, boxes: Sequence[XyxyBox], part: XyxyBox, size: tuple[int, int]) -> Image.Image:
    """`part` of the photo in `size`, with the boxes drawn after scaling, so that lines keep their width."""
    x, y = photo.pixels.width / photo.image_size[0], photo.pixels.height / photo.image_size[1]
    region = (part[0] * x, part[1] * y, part[2] * x, part[3] * y)
    picture = photo.pixels.resize(size, Image.Resampling.BICUBIC, box=region)
    pen = ImageDraw.Draw(picture)
    scale = (size[0] / (part[2] - part[0]), size[1] / (part[3] - part[1]))
    for box in boxes:
        left, top, right, bottom = (round((edge - part[i % 2]) * scale[i % 2]) for i, edge in enumerate(box))
        # around the box, so that nothing of it is hidden, but never outside the picture
        corners = (
            max(0, left - LINE_PX),
            max(0, top - LINE_PX),
            min(size[0], right + LINE_PX) - 1,
            min(size[1], bottom + LINE_PX) - 1,
        )
        pen.rectangle(corners, outline=COLOURS[photo.colour], width=LINE_PX)
    return picture

"""Photos as the embedded teacher looks at them: reduced to the size of those that its model was trained on."""

import hashlib
from dataclasses import dataclass

import numpy as np
from PIL import Image

from grounding_assets.core.images.image_file import ImageFile, fitted_size, read_image_bytes
from grounding_assets.core.images.locations import ImageLocation

TRAINING_SIZE = 640
"""Longest side in pixels of the photos that the model was trained on. A larger picture is first scaled to it with
smoothing, and from there without, as in training; smoothing all the way costs 4 points of accuracy."""


@dataclass(frozen=True, slots=True, eq=False)
class LocalImage:
    """One image file, reduced to what the detector can use."""

    image_size: tuple[int, int]
    """(width, height) in pixels of the upright original."""
    sha256: str
    """Hex digest of the file's bytes."""
    pixels: np.ndarray
    """(height, width, 3) uint8 RGB, upright, alpha over white; no side over `TRAINING_SIZE`."""


def read_image(image_file: ImageLocation) -> LocalImage:
    """Reads the first frame of an image file.

    Raises `SampleFailure` with `image_missing`, `image_unreadable` or `image_too_large`.
    """
    raw = read_image_bytes(image_file)
    with ImageFile(raw, image_file) as file:
        fitted = fitted_size(file.image_size, TRAINING_SIZE)
        pixels = file.upright_rgb(fitted).resize(fitted, Image.Resampling.BILINEAR)
    return LocalImage(file.image_size, hashlib.sha256(raw).hexdigest(), np.asarray(pixels))

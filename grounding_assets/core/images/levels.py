"""More than 8 bits a channel to 8, by the range of the data.

A container of 16 bits does not say how many of them are used: a scan of 12 bits would be nearly black if the
container's range counted, and a dark photo cannot be told from it. So the darkest level becomes 0 and the brightest
255, as viewers of such images show them; a model needs to see the objects, not how light the room was. One of
10,000 levels at each end may lie outside, so that a defect pixel does not decide.
"""

import io
import re
import sys

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from grounding_assets.core.records import PixelBox

_OTHER_BYTE = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
_DEEP_COLOUR = re.compile("(LA|RGB|RGBA|RGBX);16[BLN]")
_OUTSIDE = 1e-4
"""Share of the levels at each end of the range that may lie outside of it."""
_SAMPLED = 1 << 20
"""About how many pixels the range is read from."""


def is_deep(image: Image.Image) -> bool:
    """Whether a file whose header is read holds more than 8 bits a channel that Pillow would cut or clip."""
    return _is_grey(image) or bool(_DEEP_COLOUR.fullmatch(_raw_mode(image)))


class DeepPixels:
    """The levels of a decoded image of more than 8 bits a channel.

    Pillow has no mode for colour of 16 bits and decodes the high byte alone; the low byte comes from decoding
    once more in the other byte order. Grey with alpha has no such order: its high byte is all there is.
    """

    def __init__(self, image: Image.Image, raw: bytes):
        """Raises ValueError if no level is a number; Pillow's decoders raise what they raise."""
        self._high = image
        self._low = None if _is_grey(image) else _low_bytes(raw, image.format)
        self._has_alpha = image.mode in ("RGBA", "LA")
        self._from, self._to = self._range()

    def eight_bits(self, box: PixelBox) -> Image.Image:
        """Part of the image (left, top, right, bottom) in 8 bits, mode L, RGB or RGBA."""
        levels, alpha = self._levels(box)
        filled = np.nan_to_num(levels, nan=self._from, posinf=self._to, neginf=self._from)
        scaled = (filled - self._from) * (255 / (self._to - self._from))
        pixels = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
        return Image.fromarray(pixels if alpha is None else np.concatenate([pixels, alpha], axis=2))

    def _levels(self, box: PixelBox) -> tuple[NDArray[np.float64], NDArray[np.uint8] | None]:
        """Levels of a part, and its alpha of 8 bits."""
        high = np.asarray(self._high.crop(box))
        levels = high.astype(np.float64)
        if self._low is not None:
            levels = levels * 256 + np.asarray(self._low.crop(box))
        return (levels[..., :-1], high[..., -1:]) if self._has_alpha else (levels, None)

    def _range(self) -> tuple[float, float]:
        width, height = self._high.size
        step = max(1, int((width * height / _SAMPLED) ** 0.5))
        rows = [self._levels((0, y, width, y + 1))[0][:, ::step] for y in range(0, height, step)]
        levels = np.concatenate(rows, axis=1).ravel()
        finite = levels[np.isfinite(levels)]
        if not finite.size:
            raise ValueError("none of its levels is a number")
        low, high = np.quantile(finite, (_OUTSIDE, 1 - _OUTSIDE))
        if low == high:
            low, high = finite.min(), finite.max()
        if low == high:  # one level says nothing of a range: the container's counts
            low, high = 0.0, max(float(high), 1.0 if self._high.mode == "F" else 65535.0)
        return float(low), float(high)


def _is_grey(image: Image.Image) -> bool:
    """Whether Pillow keeps its levels whole: integers of 16 or 32 bits, or floats."""
    return image.mode.startswith(("I", "F"))


def _low_bytes(raw: bytes, format_name: str | None) -> Image.Image | None:
    image = Image.open(io.BytesIO(raw), formats=[format_name or ""])
    mode = _raw_mode(image)
    if mode.startswith("LA"):
        return None
    swapped = mode[:-1] + _OTHER_BYTE[mode[-1]]
    image.tile = [
        tile._replace(args=(swapped, *tile.args[1:]) if isinstance(tile.args, tuple) else swapped)
        for tile in image.tile
    ]
    image.load()
    return image


def _raw_mode(image: Image.Image) -> str:
    """How the file's pixels lie, in Pillow's words, such as `RGB;16B`; empty if it does not say."""
    if not isinstance(image, ImageFile.ImageFile) or not image.tile:
        return ""
    arguments = image.tile[0].args
    mode = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return mode if isinstance(mode, str) else ""

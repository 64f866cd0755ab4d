"""How the vision-language model that is to be trained writes a box: the inverse of reading its replies."""

import math
from dataclasses import dataclass

from grounding_assets.core.boxes.coordinates import CONVENTIONS, Convention, encode
from grounding_assets.core.records import PixelBox

MAX_ASPECT_RATIO = 200
"""Trainers of Qwen's kind refuse images that are longer and thinner."""


@dataclass(frozen=True, slots=True)
class ChatModel:
    """A family of models that write boxes in JSON."""

    family: str
    convention: Convention
    box_key: str
    multiple_of: int = 1
    """Of the sides of the image that the model sees; counts if it writes pixels of that image."""

    @property
    def writes_pixels(self) -> bool:
        return self.convention.grid is None

    def written(self, bbox: PixelBox, image_size: tuple[int, int], seen_size: tuple[int, int]) -> list[float]:
        """A box in the numbers that the model writes.

        Args:
            bbox: `x1, y1, x2, y2` in pixels of the upright original.
            image_size: (width, height) in pixels of the upright original.
            seen_size: (width, height) in pixels of the image that the model sees; see `TrainerResize`.
        """
        numbers = list(encode(bbox, self.convention, seen_size, image_size))
        for near, far, edge in zip((0, 1), (2, 3), self._far_edges(seen_size), strict=True):
            if numbers[near] == numbers[far]:
                # too thin for the grid: one step wide, so that it stays a box
                if numbers[far] + self.convention.step <= edge:
                    numbers[far] += self.convention.step
                else:
                    numbers[near] -= self.convention.step
        return numbers

    def _far_edges(self, seen_size: tuple[int, int]) -> tuple[float, float]:
        """What the far edges of the image are called, in the order of the numbers."""
        right, bottom = self.convention.frame(seen_size)
        return (right, bottom) if self.convention.order == "xyxy" else (bottom, right)


QWEN3_VL = ChatModel("qwen3_vl", CONVENTIONS["xyxy_1000"], "bbox_2d")


@dataclass(frozen=True, slots=True)
class TrainerResize:
    """Which size a trainer of Qwen2-VL's and Qwen2.5-VL's kind gives an image."""

    min_pixels: int
    max_pixels: int
    scales_first: bool = False
    """Whether the image is scaled to `max_pixels` before it is rounded to multiples."""

    def seen_size(self, image_size: tuple[int, int], multiple_of: int) -> tuple[int, int]:
        """(width, height) in pixels of what the model sees: qwen-vl-utils' `smart_resize`.

        >>> TrainerResize(4 * 28 * 28, 1280 * 28 * 28).seen_size((640, 480), 28)
        (644, 476)
        """
        width, height = image_size
        if self.scales_first and width * height > self.max_pixels:
            scale = math.sqrt(self.max_pixels / (width * height))
            width, height = max(1, int(width * scale)), max(1, int(height * scale))
        sides = [max(multiple_of, round(side / multiple_of) * multiple_of) for side in (width, height)]
        if not self.scales_first and sides[0] * sides[1] > self.max_pixels:
            scale = math.sqrt(self.max_pixels / (width * height))
            sides = [max(1, math.floor(side * scale / multiple_of)) * multiple_of for side in (width, height)]
        elif sides[0] * sides[1] < self.min_pixels:
            scale = math.sqrt(self.min_pixels / (width * height))
            sides = [math.ceil(side * scale / multiple_of) * multiple_of for side in (width, height)]
        return sides[0], sides[1]

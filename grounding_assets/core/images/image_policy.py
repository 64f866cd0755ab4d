"""In which sizes and forms an image may be sent."""

from dataclasses import dataclass

from grounding_assets.core.errors import Reason, SampleFailure

MIME_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
"""By Pillow's name of the format: what is sent."""


@dataclass(frozen=True, slots=True)
class ImagePolicy:
    """What an endpoint and a model family take.

    The defaults suit a model that scales boxes itself: any size, at most 20 MB.
    """

    max_side_px: int = 4096
    max_short_side_px: int = 1 << 16
    max_pixels: int = 4096 * 4096
    multiple_of: int = 1
    """Both sides are made multiples of this, so that a server's own resize changes nothing."""
    min_side_px: int = 1
    min_pixels: int = 0
    """Smaller pictures are enlarged if the limits above allow it."""
    max_bytes: int = 20 << 20
    """Of the encoded file, before base64."""
    mime_types: frozenset[str] = frozenset(MIME_TYPES.values())

    def sent_size(self, width: int, height: int) -> tuple[int, int]:
        """The size to send an upright image of `width` x `height` pixels in.

        Raises:
            SampleFailure: no allowed size keeps at least one step of `multiple_of` per side.
        """
        step, longer, shorter, pixels = (
            self.multiple_of,
            max(width, height),
            min(width, height),
            width * height,
        )
        smallest, largest = -(-self.min_side_px // step) * step, self.max_side_px // step * step
        largest_short = min(largest, self.max_short_side_px // step * step)
        most = min(
            self.max_side_px / longer, self.max_short_side_px / shorter, (self.max_pixels / pixels) ** 0.5
        )
        scale = max(min(1.0, most), min(most, (self.min_pixels / pixels) ** 0.5), self.min_side_px / shorter)
        # enlarging the short side to its minimum can make the long one too long
        fits = scale <= most
        sides = [min(max(round(side * scale / step) * step, smallest), largest) for side in (width, height)]
        sides[sides.index(min(sides))] = min(*sides, largest_short)
        while sides[0] * sides[1] > self.max_pixels and max(sides) > smallest:
            sides[sides.index(max(sides))] -= step
        while (
            sides[0] * sides[1] < self.min_pixels
            and min(sides) + step <= largest_short
            and (min(sides) + step) * max(sides) <= self.max_pixels
        ):
            sides[sides.index(min(sides))] += step
        if not fits or min(sides) < smallest or sides[0] * sides[1] > self.max_pixels:
            raise SampleFailure(
                Reason.IMAGE_TOO_LARGE,
                f"The image is {width} x {height} pixels, too long and thin for this model; crop it.",
            )
        return sides[0], sides[1]

"""In which sizes pictures are sent: those of the calibration cards, and the bounds that they prove.

Pixel answers hold only for pictures that the server does not resize. So the cards are as large as what a run
sends; if the answers show another size, the cards are sent again within it, until what is sent is what is seen.
"""

from collections.abc import Sequence
from dataclasses import replace

from grounding_assets.core.boxes.calibration import Seen
from grounding_assets.core.boxes.coordinates import CONVENTIONS
from grounding_assets.core.images.image_policy import ImagePolicy
from resources.vlm.families import Family

CARD_PIXELS = 1280 * 28 * 28
"""The smallest of the usual caps of Qwen2.5-VL's servers: no reason to show more to a model on a grid."""
_USUAL_STEPS = (28, 32, 16, 14, 64, 56)
"""Multiples that models' own preprocessing rounds the sides to, the most frequent first."""
_SMALL = (364, 196)
_ENLARGED = 0.8
"""Smallest picture, as a share of the cards' pixels, for a model that did not answer about a small card."""


def measuring_policy(family: Family) -> ImagePolicy:
    """What the first cards are drawn by: the family's own sizes if it answers in pixels."""
    if CONVENTIONS[family.convention].grid is None and family.image.max_pixels < ImagePolicy().max_pixels:
        return family.image
    step = family.image.multiple_of if family.image.multiple_of > 1 else _USUAL_STEPS[0]
    return replace(family.image, max_pixels=min(CARD_PIXELS, family.image.max_pixels), multiple_of=step)


def card_sizes(policy: ImagePolicy) -> tuple[tuple[int, int], tuple[int, int]]:
    """A wide card and one that is nearly square: the longest side, the longest short side and the most pixels."""
    wide, tall = policy.sent_size(8000, 4000), policy.sent_size(6000, 7000)
    return _odd(wide, policy.multiple_of), _odd(tall, policy.multiple_of)


def small_card_size(policy: ImagePolicy) -> tuple[int, int]:
    """Small, but large enough for `policy.min_pixels`."""
    step = policy.multiple_of
    width, height = (max(1, round(side / step)) * step for side in _SMALL)
    return replace(policy, min_side_px=1).sent_size(width, height)


def _odd(size: tuple[int, int], step: int) -> tuple[int, int]:
    """Odd multiples of the step, which a server that rounds to a larger one would change."""
    width, height = (side - step if side // step % 2 == 0 else side for side in size)
    return width, height


def narrowed(policy: ImagePolicy, seen: Sequence[Seen]) -> ImagePolicy | None:
    """Bounds within which the server should leave pictures alone, told by the sizes that it changed them to.

    None if these sizes suggest no narrower ones.
    """
    for step in _USUAL_STEPS:
        if step != policy.multiple_of and all(_rounds_to(card, step) for card in seen):
            return replace(policy, multiple_of=step)
    sizes = [card.seen_size for card in seen]
    narrower = replace(
        policy,
        max_side_px=min(policy.max_side_px, max(max(size) for size in sizes)),
        max_short_side_px=min(policy.max_short_side_px, max(min(size) for size in sizes)),
        max_pixels=min(policy.max_pixels, max(width * height for width, height in sizes)),
    )
    return narrower if card_sizes(narrower) != card_sizes(policy) else None


def _rounds_to(card: Seen, step: int) -> bool:
    width, height = (max(1, round(side / step)) * step for side in card.size)
    return card.right.is_near(width) and card.bottom.is_near(height)


def proven(
    policy: ImagePolicy, sizes: Sequence[tuple[int, int]], smallest: tuple[int, int] | None
) -> ImagePolicy:
    """The policy, with no picture larger or smaller than the cards whose size was kept."""
    pixels = [width * height for width, height in sizes]
    least = smallest[0] * smallest[1] if smallest else round(_ENLARGED * min(pixels))
    return replace(
        policy,
        max_side_px=max(max(size) for size in sizes),
        max_short_side_px=max(min(size) for size in sizes),
        max_pixels=max(pixels),
        min_pixels=least,
    )

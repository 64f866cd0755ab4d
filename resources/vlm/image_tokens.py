"""How many input tokens a picture takes, if a model's maker has documented a rule. Nothing is guessed.

Sources: docs/costs.md. Not here: in which size a picture is sent (`ImagePolicy`).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil

from resources.vlm.families import plain_name

Size = tuple[int, int]
"""(width, height) in pixels as sent."""
GEMINI_TOKENS: Mapping[str, int] = {
    "MEDIA_RESOLUTION_LOW": 280,
    "MEDIA_RESOLUTION_MEDIUM": 560,
    "MEDIA_RESOLUTION_HIGH": 1120,
}
"""Of a picture of any size, by `media_resolution`; Gemini 3."""
_MOST_PATCHES = 1536


@dataclass(frozen=True, slots=True)
class TokenRule:
    """What a model counts for a picture."""

    words: str
    of_size: Callable[[Size], int] | None
    """None: by `media_resolution`, whatever the size; see `GEMINI_TOKENS`."""


def _qwen(step: int) -> TokenRule:
    return TokenRule(
        f"a token for {step} x {step} pixels", lambda size: ceil(size[0] / step) * ceil(size[1] / step)
    )


def _tiles(base: int, each: int) -> TokenRule:
    return TokenRule(
        f"{base} and {each} a tile of 512 x 512 pixels", lambda size: base + each * _tile_count(size)
    )


def _tile_count(size: Size) -> int:
    """Within 2048 x 2048 pixels first, then with a shorter side of at most 768."""
    scale = min(1.0, 2048 / max(size))
    scale *= min(1.0, 768 / (scale * min(size)))
    return ceil(int(scale * size[0]) / 512) * ceil(int(scale * size[1]) / 512)


def _patches(factor: float) -> TokenRule:
    words = f"{factor:g} for 32 x 32 pixels, {_MOST_PATCHES} such patches at most"
    return TokenRule(
        words, lambda size: ceil(factor * min(_MOST_PATCHES, ceil(size[0] / 32) * ceil(size[1] / 32)))
    )


_RULES: tuple[tuple[str, TokenRule], ...] = (
    (r"gemini-3(-|$)", TokenRule("by media_resolution", None)),
    (
        r"claude-(3|(opus|sonnet|haiku)-4(-[0-6])?(-\d{6,}|$))",
        TokenRule("a token for 750 pixels", lambda size: ceil(size[0] * size[1] / 750)),
    ),
    (r"qwen-?2(-5)?-?vl", _qwen(28)),
    (r"qwen-?3-?vl", _qwen(32)),
    (r"(^|/)gpt-4o-mini", _tiles(2833, 5667)),
    (r"(^|/)gpt-(4-1|5)-mini", _patches(1.62)),
    (r"(^|/)gpt-(4-1|5)-nano", _patches(2.46)),
    (r"(^|/)gpt-4(o|-1)(-\d{4}|$)", _tiles(85, 170)),
    (r"(^|/)gpt-5($|-\d{4})", _tiles(70, 140)),
)
"""By the plain name of a model; the first that fits."""


def token_rule(model: str) -> TokenRule | None:
    """None if no rule is documented for the model."""
    name = plain_name(model)
    return next((rule for pattern, rule in _RULES if re.search(pattern, name)), None)

"""What numbers a model gives to the edges of a picture, and what a server makes of the picture before that.

A frame names the far edges of the picture that the model sees: a grid's last number, or pixels. A server may
pass on another picture than it received: smaller, or padded. Not here: order, key and form of a box.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Size = tuple[int, int]
"""(width, height) in pixels."""
Frame = Callable[[Size], tuple[float, float]]
"""What the right and the bottom edge of the picture that the model sees are called."""


@dataclass(frozen=True, slots=True)
class Passed:
    """The picture that reaches the model, and where the received one lies in it: (left, top, right, bottom)."""

    size: Size
    edges: tuple[float, float, float, float]


Server = Callable[[Size], Passed]

QWEN_MAX_PIXELS = 1280 * 28 * 28
QWEN_MIN_PIXELS = 4 * 28 * 28
CLAUDE_LONGER_EDGE = 1568
INTERNVL_TILE = 448
INTERNVL_MAX_TILES = 12


def smart_resize(size: Size, factor: int = 28, maximum: int = QWEN_MAX_PIXELS) -> Size:
    """The size that Qwen2.5-VL really sees (qwen-vl-utils): multiples of the factor, under a pixel cap.

    Raises ValueError for an aspect ratio above 200 and for an edge below the factor, which crashes servers.
    """
    width, height = size
    if max(size) / min(size) > 200:
        raise ValueError(f"absolute aspect ratio must be smaller than 200, got {max(size) / min(size):.0f}")
    if min(size) < factor:
        raise ValueError(f"height:{height} and width:{width} must be larger than factor:{factor}")
    w, h = (max(factor, round(edge / factor) * factor) for edge in size)
    if w * h > maximum:
        beta = math.sqrt(width * height / maximum)
        w, h = (max(factor, math.floor(edge / beta / factor) * factor) for edge in size)
    elif w * h < QWEN_MIN_PIXELS:
        beta = math.sqrt(QWEN_MIN_PIXELS / (width * height))
        w, h = (math.ceil(edge * beta / factor) * factor for edge in size)
    return w, h


def qwen_pixels(maximum: int = QWEN_MAX_PIXELS, factor: int = 28) -> Frame:
    return lambda size: smart_resize(size, factor, maximum)


def claude_pixels(size: Size) -> tuple[float, float]:
    shrink = min(1.0, CLAUDE_LONGER_EDGE / max(size))
    return round(size[0] * shrink), round(size[1] * shrink)


def own_pixels(size: Size) -> tuple[float, float]:
    """Pixels of the picture that reaches the model, whatever its server did to it."""
    return size


def grid(edge: float) -> Frame:
    return lambda size: (edge, edge)


GRID_1000 = grid(1000)


def untouched(size: Size) -> Passed:
    return Passed(size, (0, 0, *size))


def _resized(resize: Callable[[Size], Sequence[float]]) -> Server:
    def server(size: Size) -> Passed:
        w, h = (max(1, round(edge)) for edge in resize(size))
        return Passed((w, h), (0, 0, w, h))

    return server


def _shrunk(size: Size, share: float) -> Sequence[float]:
    return [edge * min(1.0, share) for edge in size]


def _square(side: int, *, centred: bool) -> Server:
    """Padded to a square first, as `expand2square` of LLaVA does (centred) or to the right and the bottom."""

    def server(size: Size) -> Passed:
        w, h = (edge * side / max(size) for edge in size)
        left, top = ((side - w) / 2, (side - h) / 2) if centred else (0.0, 0.0)
        return Passed((side, side), (left, top, left + w, top + h))

    return server


def _tiles(size: Size, tile: int) -> Size:
    """The grid of up to 12 tiles whose aspect ratio is nearest (InternVL's dynamic_preprocess): it stretches."""
    grids = [
        (n, m)
        for n in range(1, INTERNVL_MAX_TILES + 1)
        for m in range(1, INTERNVL_MAX_TILES + 1)
        if n * m <= INTERNVL_MAX_TILES
    ]
    n, m = min(grids, key=lambda g: (abs(g[0] / g[1] - size[0] / size[1]), g[0] * g[1]))
    return n * tile, m * tile


def server_resize(description: str) -> Server:
    """What `KIND:NUMBER` describes, one after the other where `+` joins several; "" leaves pictures alone.

    Raises ValueError for a kind that is none of `SERVERS`.
    """
    stages = [_stage(*part.split(":", 1)) for part in description.split("+") if part]

    def server(size: Size) -> Passed:
        passed = untouched(size)
        for stage in stages:
            passed = _after(passed, stage(passed.size))
        return passed

    return server


def _after(first: Passed, second: Passed) -> Passed:
    left, top, right, bottom = second.edges
    across, down = (right - left) / first.size[0], (bottom - top) / first.size[1]
    x1, y1, x2, y2 = first.edges
    return Passed(second.size, (left + x1 * across, top + y1 * down, left + x2 * across, top + y2 * down))


def _stage(kind: str, number: str = "") -> Server:
    if kind not in SERVERS:
        raise ValueError(f"no such server: {kind!r}; one of {', '.join(SERVERS)}, each with :NUMBER")
    n = float(number)
    side = int(n)
    resizes: dict[str, Callable[[Size], Sequence[float]]] = {
        "qwen28": lambda size: smart_resize(size, 28, side),
        "qwen32": lambda size: smart_resize(size, 32, side),
        "pixels": lambda size: _shrunk(size, math.sqrt(n / (size[0] * size[1]))),
        "longest": lambda size: _shrunk(size, n / max(size)),
        "shortest": lambda size: _shrunk(size, n / min(size)),
        "scale": lambda size: _shrunk(size, n),
        "tiles": lambda size: _tiles(size, side),
    }
    if kind in resizes:
        return _resized(resizes[kind])
    return _square(side, centred=kind == "letterbox")


SERVERS = {
    "qwen28": "Qwen's smart_resize to multiples of 28 under a cap of NUMBER pixels",
    "qwen32": "the same to multiples of 32",
    "pixels": "shrinks in proportion to NUMBER pixels",
    "longest": "shrinks the longer side to NUMBER (LM Studio)",
    "shortest": "shrinks the shorter side to NUMBER",
    "scale": "shrinks every picture by this factor",
    "tiles": "stretches to a grid of tiles of NUMBER pixels (InternVL)",
    "square": "pads right and bottom to a square of NUMBER pixels a side",
    "letterbox": "pads on both sides to a square of NUMBER pixels a side",
}
"""What a server can do to pictures before the model sees them."""

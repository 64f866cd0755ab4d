"""Which coordinates a model answers in, and at which size it sees a picture, judged by known boxes.

A reply is read in each order of edges, and for each axis of a card the number is fitted that the model gives
to the far edge. These far edges are the finding: all 1000 is a grid, the size that was sent is pixels, and
another size of the same shape is pixels of a picture that the server has resized.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from grounding_assets.core.boxes.cards import Card
from grounding_assets.core.boxes.coordinates import (
    CHAT_CONVENTIONS,
    CONVENTIONS,
    Order,
    RawBox,
    corners,
    decode,
)
from grounding_assets.core.boxes.geometry import iou_xyxy

MIN_IOU = 0.5
"""An order must explain the boxes at least this well on average, its far edges fitted …"""
MIN_LEAD = 0.15
"""… and this much better than every other order."""
_CLOSEST = 0.001
"""How near to a far edge a fitted one counts as the same, as a share, however clean the boxes are …"""
_STANDARD_ERRORS = 4
"""… or within this many standard errors of the fit …"""
_FARTHEST = 0.06
"""… but never beyond this share: a picture that was shrunk by a tenth must not pass as noise."""
_SAME_SHAPE = 0.08
"""How much the aspect ratio may change if a server rounds the sides to multiples."""
PICTURE_NOT_SEEN = (
    "cards that show the same shapes at different places got the same boxes, so that nobody has looked at them: "
    "a cache that goes by the text alone answers, or the pictures are dropped on the way"
)
_GRIDS = ("norm", "100", "1000", "999", "1024")


@dataclass(frozen=True, slots=True)
class CardReply:
    """What the model said of one card: the boxes of each shape, as it wrote them."""

    card: Card
    boxes: tuple[tuple[RawBox, ...], ...]
    """One tuple per shape, in order; empty if the model gave none."""
    nameless: int = 0
    """Boxes that came without a name that tells which shape they show, or in a form that is not read."""


@dataclass(frozen=True, slots=True)
class Edge:
    """What a model calls the far edge of one axis: fitted, with its standard error."""

    at: float
    error: float

    def is_near(self, expected: float) -> bool:
        tolerance = min(max(_CLOSEST * expected, _STANDARD_ERRORS * self.error), _FARTHEST * expected)
        return abs(self.at - expected) <= tolerance


@dataclass(frozen=True, slots=True)
class Seen:
    """The far edges of one card, right and bottom."""

    size: tuple[int, int]
    """(width, height) of the card as it was sent."""
    right: Edge
    bottom: Edge

    @property
    def seen_size(self) -> tuple[int, int]:
        return (round(self.right.at), round(self.bottom.at))

    @property
    def is_as_sent(self) -> bool:
        return self.right.is_near(self.size[0]) and self.bottom.is_near(self.size[1])

    @property
    def is_resized(self) -> bool:
        """Whether it has another size of nearly the same shape."""
        stretch = self.right.at / self.bottom.at * self.size[1] / self.size[0]
        return abs(stretch - 1) <= _SAME_SHAPE

    def is_on_grid(self, grid: float) -> bool:
        return self.right.is_near(grid) and self.bottom.is_near(grid)


@dataclass(frozen=True, slots=True)
class Finding:
    """How well each convention explains the replies, and which one does, if any."""

    iou: Mapping[str, float]
    """Mean IoU over all shapes by convention, 0.0 to 1.0, best first; a shape without a box counts as 0."""
    convention: str | None
    """The one that explains them, or None if none does clearly."""
    reason: str
    """In words, for the user."""
    boxes_came: bool
    """False if the model gave no box at all, named or not: then nothing was measured."""
    seen: tuple[Seen, ...] = ()
    """Of pixel answers: the size that the model saw each card in."""

    @property
    def size_is_kept(self) -> bool:
        """Whether pixels are those of the pictures as sent; True for grids, which know no size."""
        return all(card.is_as_sent for card in self.seen)


def judge(replies: Sequence[CardReply], expected: str | None = None) -> Finding:
    """Finds the order, then the unit, or refuses to.

    `expected` is the convention of the configured family: it is named if a neighbouring grid fits as well.
    """
    ious = {name: _iou(replies, name) for name in CHAT_CONVENTIONS}
    table = dict(sorted(ious.items(), key=lambda pair: -pair[1]))

    def unexplained(reason: str, *, boxes_came: bool = True) -> Finding:
        return Finding(table, None, reason, boxes_came)

    total = sum(len(reply.boxes) for reply in replies)
    answered = sum(bool(boxes) for reply in replies for boxes in reply.boxes)
    nameless = sum(reply.nameless for reply in replies)
    if not answered and nameless:
        return unexplained(
            f"{nameless} boxes came without names or in a form that is not read, so that none tells which shape it shows"
        )
    if answered and _are_alike(replies):
        return unexplained(PICTURE_NOT_SEEN)
    if not answered:
        reason = f"the model gave no box for any of {total} shapes that are plainly there"
        return unexplained(reason, boxes_came=False)
    orders: dict[Order, tuple[float, list[Seen]]] = {
        order: _fitted(replies, order) for order in get_args(Order)
    }
    order, rival = sorted(orders, key=lambda name: -orders[name][0])[:2]
    fit, seen = orders[order]
    if 2 * answered < total or not seen:
        return unexplained(f"boxes came for {answered} of {total} shapes, which is too few to tell")
    if fit < MIN_IOU:
        best = next(iter(table))
        return unexplained(
            f"no order of edges in any unit explains the boxes: {best} is best with a mean IoU of {table[best]:.2f}"
        )
    if fit - orders[rival][0] < MIN_LEAD:
        return unexplained(f"{order} ({fit:.2f}) and {rival} ({orders[rival][0]:.2f}) fit about equally well")
    grid = _grid(seen, order, expected)
    if grid:
        return Finding(table, grid, f"mean IoU {table[grid]:.2f}", True)
    if len(seen) == len(replies) and all(card.is_as_sent or card.is_resized for card in seen):
        pixels = f"{order}_px_sent"
        kept = all(card.is_as_sent for card in seen)
        reason = f"mean IoU {table[pixels]:.2f}" if kept else _resized(seen)
        return Finding(table, pixels, reason, True, tuple(seen))
    edges = " and ".join(_sizes(card) for card in seen)
    return unexplained(f"the far edges that explain the boxes belong to no unit that is known: {edges}")


def _are_alike(replies: Sequence[CardReply]) -> bool:
    """Whether several cards, which differ in where the shapes are, got the same boxes."""
    return len(replies) > 1 and len({reply.boxes for reply in replies}) == 1


def size_seen(reply: CardReply, convention: str) -> Seen | None:
    """The size that the model saw one card in; None if its boxes do not show it."""
    fit, seen = _fitted([reply], CONVENTIONS[convention].order)
    return seen[0] if seen and fit >= MIN_IOU else None


def agree(first: str, second: str) -> bool:
    """Whether two conventions are practically the same, such as grids of 999 and 1000."""
    a, b = CONVENTIONS[first], CONVENTIONS[second]
    if a.order != b.order or not a.grid or not b.grid:
        return first == second
    return abs(a.grid - b.grid) <= 2 * _CLOSEST * max(a.grid, b.grid)


def _resized(seen: Sequence[Seen]) -> str:
    return f"the pictures are resized before the model sees them: {', '.join(_sizes(c) for c in seen)}"


def _sizes(card: Seen) -> str:
    right, bottom = (f"{edge.at:.4g}" for edge in (card.right, card.bottom))
    return f"{card.size[0]} x {card.size[1]} is seen as {right} x {bottom}"


def _grid(seen: Sequence[Seen], order: Order, expected: str | None) -> str | None:
    """The grid that all far edges are on: the expected one if it will do, else 1000, else the nearest."""
    fitting = [
        f"{order}_{unit}"
        for unit in _GRIDS
        if all(card.is_on_grid(CHAT_CONVENTIONS[f"{order}_{unit}"].grid or 0) for card in seen)
    ]
    for preferred in (expected, f"{order}_1000"):
        if preferred in fitting:
            return preferred
    edges = [edge.at for card in seen for edge in (card.right, card.bottom)]
    middle = sum(edges) / len(edges)
    return min(fitting, key=lambda name: abs((CHAT_CONVENTIONS[name].grid or 0) - middle), default=None)


def _fitted(replies: Sequence[CardReply], order: Order) -> tuple[float, list[Seen]]:
    """Mean IoU of the answered shapes, each card's far edges fitted; and these edges."""
    overlaps: list[float] = []
    cards: list[tuple[tuple[int, int], _Axis, _Axis]] = []
    for reply in replies:
        if sum(bool(boxes) for boxes in reply.boxes) < 2:
            continue
        shown = [
            (shape.box, corners(box, order))
            for shape, boxes in zip(reply.card.shapes, reply.boxes, strict=True)
            for box in boxes
        ]
        true, written = (np.array(column, dtype=float) for column in zip(*shown, strict=True))
        width, height = reply.card.size
        right = _axis(written[:, 0::2], true[:, 0::2] / width)
        bottom = _axis(written[:, 1::2], true[:, 1::2] / height)
        if right.at <= 0 or bottom.at <= 0:
            return 0.0, []
        cards.append((reply.card.size, right, bottom))
        scale = np.array([width / right.at, height / bottom.at] * 2)
        for shape, boxes in zip(reply.card.shapes, reply.boxes, strict=True):
            if boxes:
                decoded = np.array([corners(box, order) for box in boxes]) * scale
                overlaps.append(float(iou_xyxy(decoded, [shape.box]).max()))
    spread = _spread([axis for _, *axes in cards for axis in axes])
    seen = [
        Seen(size, *(Edge(axis.at, axis.at * spread / axis.weight**0.5) for axis in axes))
        for size, *axes in cards
    ]
    return (sum(overlaps) / len(overlaps) if overlaps else 0.0), seen


@dataclass(frozen=True, slots=True)
class _Axis:
    """One axis of one card, fitted: what the model calls share 1.0, and how far its numbers lie from that line."""

    at: float
    weight: float
    """Sum of the squared shares."""
    residuals: NDArray[np.float64]
    """As shares of `at`."""


def _axis(written: NDArray[np.float64], shares: NDArray[np.float64]) -> _Axis:
    """Least squares through the origin, without the boxes that are elsewhere."""
    written, shares = written.ravel(), shares.ravel()
    ratios = written / shares
    ranked = np.argsort(ratios)
    middle = np.searchsorted(np.cumsum(shares[ranked]), shares.sum() / 2)
    start = float(ratios[ranked[min(middle, len(ranked) - 1)]])
    distance = np.abs(written - start * shares)
    near = distance <= 5 * max(float(np.median(distance)), 2 * _CLOSEST * abs(start))
    written, shares = written[near], shares[near]
    weight = float(shares @ shares)
    at = float(written @ shares) / weight
    return _Axis(at, weight, (written - at * shares) / (at or 1.0))


def _spread(axes: Sequence[_Axis]) -> float:
    """Standard deviation of the residuals of all axes: one model is equally exact on each."""
    freedom = sum(len(axis.residuals) - 1 for axis in axes)
    return float(np.sqrt(sum(float(axis.residuals @ axis.residuals) for axis in axes) / max(1, freedom)))


def _iou(replies: Sequence[CardReply], name: str) -> float:
    convention = CONVENTIONS[name]
    overlaps: list[float] = []
    for reply in replies:
        for shape, boxes in zip(reply.card.shapes, reply.boxes, strict=True):
            decoded = [decode(box, convention, reply.card.size, reply.card.size) for box in boxes]
            overlaps.append(float(iou_xyxy(decoded, [shape.box]).max()) if decoded else 0.0)
    return sum(overlaps) / len(overlaps) if overlaps else 0.0

"""Named coordinate conventions, and the one place where a reply's numbers become pixels.

A convention says in which order a model writes the four edges and what its numbers are fractions of. The
convention is chosen by the model family or by a measurement, never by the key that a reply uses. Reading
replies, and preparing the image that is sent, belong elsewhere. After `resolve_boxes` everything is
`xyxy` pixels of the upright original.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, Protocol, get_args

from grounding_assets.core.boxes.geometry import CleanedBoxes, clean_boxes, refuse_unusable
from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.records import DEFAULT_SCORE, Instance

RawBox = tuple[float, float, float, float]
"""Four finite numbers as a reply wrote them, in the convention's order."""
XyxyBox = tuple[float, float, float, float]
"""`x1, y1, x2, y2` in pixels of the upright original, not yet clamped or rounded."""

Order = Literal["xyxy", "yxyx", "xywh"]
"""Which edges a box's four numbers are; the last two of `xywh` are width and height."""

RANGE_TOLERANCE = 0.02
"""How far an edge may lie beyond the frame, as a share of that axis, before it counts as out of range."""
MAX_BEYOND = 0.25
"""How far an edge may lie beyond the frame, as a share of that axis: what lies farther is no slip of the model but a number in
another frame, and cut off at the image's edge it would be a box of something else."""
MAX_OUT_OF_RANGE = 0.3
"""Share of a reply's boxes out of range above which the whole reply is taken to be in another frame."""


@dataclass(frozen=True, slots=True)
class Convention:
    """How one model family writes a box."""

    name: str
    order: Order
    grid: float | None
    """The number that stands for the far edge of either axis; None: pixels of the image as sent."""
    step: float = 1.0
    """The distance between two neighbouring values that the family writes."""
    bins: bool = False
    """True if values are indices of `grid` cells, 0 to grid - 1, and the cell's centre is meant."""

    def frame(self, sent_size: tuple[int, int]) -> tuple[float, float]:
        """What the far edge of (x, y) is called: the grid, or the size sent in pixels."""
        return (self.grid, self.grid) if self.grid else (float(sent_size[0]), float(sent_size[1]))


_ORDERS: tuple[Order, ...] = get_args(Order)
_UNITS: Mapping[str, tuple[float | None, float]] = {
    "1000": (1000, 1.0),
    "999": (999, 1.0),
    "1024": (1024, 1.0),
    "100": (100, 0.1),
    "norm": (1, 0.001),
    "px_sent": (None, 1.0),
}
"""Grid and step by the unit's name."""

CHAT_CONVENTIONS: Mapping[str, Convention] = {
    f"{order}_{unit}": Convention(f"{order}_{unit}", order, grid, step)
    for unit, (grid, step) in _UNITS.items()
    for order in _ORDERS
}
"""Every order in every unit: what a model that speaks chat may answer in."""

CONVENTIONS: Mapping[str, Convention] = {
    **CHAT_CONVENTIONS,
    "xyxy_1000_bins": Convention("xyxy_1000_bins", "xyxy", 1000, bins=True),
    "xyxy_32_bins": Convention("xyxy_32_bins", "xyxy", 32, bins=True),
}
"""By name. The last two are Florence-2's location tokens and Kosmos-2's patch grid."""


def corners(raw: RawBox, order: Order) -> RawBox:
    """The four numbers as `x1, y1, x2, y2`, still in the unit that they were written in.

    >>> corners((10, 20, 30, 40), "xywh")
    (10, 20, 40, 60)
    """
    first, second, third, fourth = raw
    if order == "xywh":
        return (first, second, first + third, second + fourth)
    return raw if order == "xyxy" else (second, first, fourth, third)


def in_order(box: RawBox, order: Order) -> RawBox:
    """`x1, y1, x2, y2` as the four numbers of that order: the inverse of `corners`."""
    x1, y1, x2, y2 = box
    if order == "xywh":
        return (x1, y1, x2 - x1, y2 - y1)
    return box if order == "xyxy" else (y1, x1, y2, x2)


def decode(
    raw: RawBox, convention: Convention, sent_size: tuple[int, int], image_size: tuple[int, int]
) -> XyxyBox:
    """One box of a reply in pixels of the upright original, each axis scaled by its own exact ratio.

    Args:
        raw: four finite numbers in the convention's order.
        sent_size: (width, height) in pixels of the image as it was sent.
        image_size: (width, height) in pixels of the upright original.

    Returns:
        `x1, y1, x2, y2`; may lie outside the image, corners may be swapped: nothing is hidden here.

    >>> decode((53, 248, 388, 527), CONVENTIONS["yxyx_1000"], (640, 482), (640, 482))
    (158.72, 25.546, 337.28, 187.016)
    >>> decode((13, 8, 61, 34), CONVENTIONS["xyxy_px_sent"], (64, 32), (640, 480))
    (130.0, 120.0, 610.0, 510.0)
    """
    x1, y1, x2, y2 = corners(raw, convention.order)
    frame_x, frame_y = convention.frame(sent_size)
    if convention.bins:
        (x1, x2), (y1, y2) = _cell_centres(x1, x2), _cell_centres(y1, y2)
    width, height = image_size
    return (x1 * width / frame_x, y1 * height / frame_y, x2 * width / frame_x, y2 * height / frame_y)


def _cell_centres(first: float, last: float) -> tuple[float, float]:
    """Two edges inside one cell mean the whole cell."""
    return (first, last + 1) if first == last else (first + 0.5, last + 0.5)


def encode(
    box: Sequence[float], convention: Convention, sent_size: tuple[int, int], image_size: tuple[int, int]
) -> RawBox:
    """What a perfect model of that family writes for a box: the inverse of `decode`, up to `step`.

    Args:
        box: `x1, y1, x2, y2` in pixels of the upright original, inside the image.

    Returns:
        Multiples of `step` in the convention's order; whole numbers where the step is 1.

    >>> encode((158.72, 25.55, 337.28, 187.02), CONVENTIONS["yxyx_1000"], (640, 482), (640, 482))
    (53, 248, 388, 527)
    """
    frame = convention.frame(sent_size) * 2
    size = (*image_size, *image_size)
    x1, y1, x2, y2 = (
        _written(edge * of / side, of, convention) for edge, of, side in zip(box, frame, size, strict=True)
    )
    return in_order((x1, y1, x2, y2), convention.order)


def _written(value: float, frame: float, convention: Convention) -> float:
    if convention.bins:
        return min(int(value), int(frame) - 1)
    if convention.step == 1.0:
        return round(value)
    return round(round(value / convention.step) * convention.step, 10)


class BoxGroup(Protocol):
    """The boxes that a reply gives for one expression."""

    @property
    def boxes(self) -> tuple[RawBox, ...]: ...

    @property
    def scores(self) -> tuple[float | None, ...]:
        """One per box: 0.0 to 1.0, or None if the model gave none."""
        ...


@dataclass(frozen=True, slots=True)
class BoxCounts:
    """What happened to the boxes of one reply; written to the provenance."""

    total: int = 0
    out_of_range: int = 0
    """Boxes with an edge beyond the frame by more than the tolerance; clamped."""
    inverted: int = 0
    degenerate: int = 0
    duplicate: int = 0
    read_as_norm: int = 0
    """Boxes written as 0-1 fractions by a family whose convention is another; see `as_written`."""

    def to_record(self) -> dict[str, int]:
        """Only the counts that are not zero, beside `total`."""
        return {key: n for key, n in asdict(self).items() if n or key == "total"}


@dataclass(frozen=True, slots=True)
class ResolvedBoxes:
    """The instances of each expression, in the order of the groups, and the counts of the whole reply."""

    instances: tuple[tuple[Instance, ...], ...]
    counts: BoxCounts


def as_written(raw: Sequence[RawBox], convention: Convention) -> Convention:
    """The convention that a reply really follows: 0-1 fractions are recognised, all else is as configured.

    Some families trained on a grid now and then answer with fractions of the image (seen from
    InternVL). Read on the configured grid, such boxes, `[0, 0, 1, 1]` among them, would be specks in the corner.

    Raises:
        SampleFailure: `coordinates`, if some boxes are fractions and others are not.
    """
    if convention.grid == 1 or convention.bins:
        return convention
    stated = [box for box in raw if any(box)]
    fractions = sum(all(0 <= n <= 1 for n in box) for box in stated)
    if not fractions:
        return convention
    if fractions < len(stated):
        raise SampleFailure(
            Reason.COORDINATES,
            f"{fractions} of {len(stated)} boxes are fractions of the image, the others are not: "
            "the reply follows no one convention.",
        )
    return CONVENTIONS[f"{convention.order}_norm"]


def resolve_boxes(
    groups: Sequence[BoxGroup],
    convention: Convention,
    sent_size: tuple[int, int],
    image_size: tuple[int, int],
) -> ResolvedBoxes:
    """The raw boxes of one reply as instances: counted, decoded, then cleaned per expression.

    Args:
        groups: one per expression, in order; boxes that belong to none are not part of it.
        sent_size: (width, height) in pixels of the image as it was sent.
        image_size: (width, height) in pixels of the upright original.

    Raises:
        SampleFailure: `coordinates`, if more than `MAX_OUT_OF_RANGE` of all boxes are out of range, or one box by more than
            `MAX_BEYOND`, or if fractions of the image stand among other numbers, or if nothing is left of an
            expression's boxes;
            `unparsable`, if a model went on and on moving one box.
    """
    raw = [box for group in groups for box in group.boxes]
    followed = as_written(raw, convention)
    beyond = [_beyond(box, followed, sent_size) for box in raw]
    out_of_range = sum(share > RANGE_TOLERANCE for share in beyond)
    if out_of_range > MAX_OUT_OF_RANGE * len(raw) or any(share > MAX_BEYOND for share in beyond):
        _, farthest = max(zip(beyond, raw, strict=True))
        raise SampleFailure(
            Reason.COORDINATES,
            f"{out_of_range} of {len(raw)} boxes lie outside the frame of {followed.name}, farthest {list(farthest)}: "
            "the model seems to use another convention; run `auto_label doctor`, or set vlm.family",
        )

    cleaned: list[CleanedBoxes] = []
    for group in groups:
        decoded = [decode(box, followed, sent_size, image_size) for box in group.boxes]
        cleaned.append(clean_boxes(decoded, group.scores, image_size))
        refuse_unusable(group.boxes, decoded, cleaned[-1])
    counts = BoxCounts(
        total=len(raw),
        out_of_range=out_of_range,
        inverted=sum(one.inverted for one in cleaned),
        degenerate=sum(one.degenerate for one in cleaned),
        duplicate=sum(one.duplicate for one in cleaned),
        read_as_norm=len(raw) if followed is not convention else 0,
    )
    instances = [_instances(one, group.scores) for one, group in zip(cleaned, groups, strict=True)]
    return ResolvedBoxes(tuple(instances), counts)


def _instances(cleaned: CleanedBoxes, scores: Sequence[float | None]) -> tuple[Instance, ...]:
    return tuple(
        Instance(box, DEFAULT_SCORE, "default") if score is None else Instance(box, score, "model")
        for box, score in zip(cleaned.boxes, (scores[i] for i in cleaned.kept), strict=True)
    )


def _beyond(raw: RawBox, convention: Convention, sent_size: tuple[int, int]) -> float:
    """How far the farthest edge lies outside the frame, as a share of its axis; 0 or less if none does."""
    box = corners(raw, convention.order)
    return max(
        max(-edge, edge - frame) / frame
        for edges, frame in zip((box[0::2], box[1::2]), convention.frame(sent_size), strict=True)
        for edge in edges
    )

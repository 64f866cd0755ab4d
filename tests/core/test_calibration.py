"""What the far edges of calibration cards tell: order, unit, and whether a server keeps the size that is sent."""

from collections.abc import Callable

import numpy as np
import pytest

from grounding_assets.core.boxes.calibration import CardReply, Finding, judge
from grounding_assets.core.boxes.cards import Card, Shape, calibration_card
from grounding_assets.core.boxes.coordinates import CHAT_CONVENTIONS, CONVENTIONS, RawBox, encode

CARDS = [calibration_card(size) for size in ((1428, 700), (924, 1036))]
Answer = Callable[[Card], tuple[tuple[RawBox, ...], ...]]


def answered(answer: Answer, expected: str | None = None) -> Finding:
    return judge([CardReply(card, answer(card)) for card in CARDS], expected)


def in_convention(name: str, *, shrink: float = 1.0, noise: float = 0.0, seed: int = 0) -> Answer:
    """Boxes of a picture that was shrunk unseen: a model on a grid does not notice."""
    rng = np.random.default_rng(seed)

    def answer(card: Card) -> tuple[tuple[RawBox, ...], ...]:
        seen = (round(card.size[0] * shrink), round(card.size[1] * shrink))
        sides = np.array([*card.size, *card.size])
        moved = [(np.array(s.box) + sides * rng.uniform(-noise, noise, 4)).tolist() for s in card.shapes]
        return tuple((encode(box, CONVENTIONS[name], seen, card.size),) for box in moved)

    return answer


@pytest.mark.parametrize("name", CHAT_CONVENTIONS)
def test_every_order_in_every_unit_is_told_apart(name: str) -> None:
    finding = answered(in_convention(name))
    assert finding.convention == name and finding.size_is_kept
    assert finding.iou[name] > 0.98


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(
    "name", ["xyxy_1000", "yxyx_1000", "xywh_1000", "xyxy_px_sent", "xywh_px_sent", "xyxy_norm"]
)
def test_boxes_that_are_off_by_up_to_3_percent_are_recognized(name: str, seed: int) -> None:
    finding = answered(in_convention(name, noise=0.03, seed=seed), expected=name)
    assert finding.convention == name and finding.size_is_kept


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.02])
@pytest.mark.parametrize("shrink", [0.3, 0.5, 0.75, 0.9])
def test_a_shrunk_picture_is_a_finding_and_no_noise(shrink: float, noise: float) -> None:
    for seed in range(10):
        finding = answered(in_convention("xyxy_px_sent", shrink=shrink, noise=noise, seed=seed))
        assert finding.convention == "xyxy_px_sent" and not finding.size_is_kept
        for card in finding.seen:
            for edge, side in zip((card.right, card.bottom), card.size, strict=True):
                assert edge.at == pytest.approx(shrink * side, rel=0.002 + 2 * noise)


def test_a_grid_whose_far_edge_is_a_tenth_short_is_no_grid() -> None:
    finding = answered(lambda card: in_convention("xyxy_1000")(_stretched(card, 0.9)), expected="xyxy_1000")
    assert finding.convention is None and finding.boxes_came and "900" in finding.reason


def _stretched(card: Card, by: float) -> Card:
    def stretched(shape: Shape) -> Shape:
        x1, y1, x2, y2 = (round(edge * by) for edge in shape.box)
        return Shape(shape.phrase, (x1, y1, x2, y2))

    return Card(card.png, card.size, card.caption, tuple(map(stretched, card.shapes)))


SQUARE = [(640, 640), (448, 448)]


@pytest.mark.parametrize("seen", SQUARE)
def test_pixels_of_a_square_that_pictures_are_squeezed_into_are_no_unit(seen: tuple[int, int]) -> None:
    def answer(card: Card) -> tuple[tuple[RawBox, ...], ...]:
        pixels = CONVENTIONS["xyxy_px_sent"]
        return tuple((encode(shape.box, pixels, seen, card.size),) for shape in card.shapes)

    finding = answered(answer)
    assert finding.convention is None and finding.boxes_came and str(seen[0]) in finding.reason


def test_one_box_for_everything_is_explained_by_nothing() -> None:
    finding = answered(lambda card: (((250, 250, 750, 750),),) * 4, expected="xyxy_1000")
    assert finding.convention is None and finding.boxes_came


def test_some_boxes_at_the_wrong_shape_do_not_hide_the_convention() -> None:
    def answer(card: Card) -> tuple[tuple[RawBox, ...], ...]:
        first, second, third, _ = in_convention("xyxy_1000")(card)
        return (first, second, third, first)

    assert answered(answer).convention == "xyxy_1000"


def test_no_box_at_all_is_not_measured_and_nameless_boxes_are_counted() -> None:
    silent = answered(lambda card: ((),) * 4)
    assert silent.convention is None and not silent.boxes_came
    cards = [CardReply(card, ((),) * 4, nameless=4) for card in CARDS]
    nameless = judge(cards)
    assert nameless.convention is None and nameless.boxes_came
    assert nameless.reason.startswith("8 boxes came without names")
    few = answered(lambda card: (in_convention("xyxy_1000")(card)[0], (), (), ()))
    assert few.convention is None and "2 of 8 shapes" in few.reason

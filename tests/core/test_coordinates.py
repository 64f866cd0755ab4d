from dataclasses import dataclass

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from grounding_assets.core.boxes.coordinates import (
    CONVENTIONS,
    as_written,
    decode,
    encode,
    resolve_boxes,
)
from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.replies import MatchedExpression
from tests.grid import grid_error_px

conventions = st.sampled_from(list(CONVENTIONS.values()))
sizes = st.tuples(st.integers(30, 5000), st.integers(30, 5000))
fractions = st.tuples(*[st.floats(0, 1)] * 4)


@dataclass
class Group:
    boxes: tuple
    scores: tuple


def group(*boxes, scores=None):
    return Group(boxes, tuple(scores or [None] * len(boxes)))


# The same box, x 160 to 480 and y 120 to 240 of a 640 x 480 photo that was sent as 1344 x 896.
WRITTEN = {
    "xyxy_1000": (250, 250, 750, 500),
    "yxyx_1000": (250, 250, 500, 750),
    "xywh_1000": (250, 250, 500, 250),
    "xyxy_999": (250, 250, 749, 500),
    "yxyx_999": (250, 250, 500, 749),
    "xywh_999": (250, 250, 499, 250),
    "xyxy_1024": (256, 256, 768, 512),
    "yxyx_1024": (256, 256, 512, 768),
    "xywh_1024": (256, 256, 512, 256),
    "xyxy_100": (25, 25, 75, 50),
    "yxyx_100": (25, 25, 50, 75),
    "xywh_100": (25, 25, 50, 25),
    "xyxy_norm": (0.25, 0.25, 0.75, 0.5),
    "yxyx_norm": (0.25, 0.25, 0.5, 0.75),
    "xywh_norm": (0.25, 0.25, 0.5, 0.25),
    "xyxy_px_sent": (336, 224, 1008, 448),
    "yxyx_px_sent": (224, 336, 448, 1008),
    "xywh_px_sent": (336, 224, 672, 224),
    "xyxy_1000_bins": (250, 250, 750, 500),
    "xyxy_32_bins": (8, 8, 24, 16),
}


@pytest.mark.parametrize("name", CONVENTIONS)
def test_each_convention_in_figures(name):
    convention = CONVENTIONS[name]
    sent, image = (1344, 896), (640, 480)
    assert encode((160, 120, 480, 240), convention, sent, image) == WRITTEN[name]
    error_x, error_y = grid_error_px(convention, sent, image)
    for got, edge, error in zip(
        decode(WRITTEN[name], convention, sent, image),
        (160, 120, 480, 240),
        (error_x, error_y) * 2,
        strict=True,
    ):
        assert abs(got - edge) <= error + 1e-9


def test_the_order_is_read_y_first_where_the_convention_says_so():
    box = decode((100, 200, 300, 400), CONVENTIONS["yxyx_1000"], (9, 9), (1000, 500))
    assert box == (200, 50, 400, 150)


def test_each_axis_has_its_own_scale():
    assert decode((10, 10, 20, 20), CONVENTIONS["xyxy_px_sent"], (100, 50), (300, 400)) == (30, 80, 60, 160)


def test_two_edges_in_one_cell_mean_the_cell():
    assert decode((3, 5, 3, 9), CONVENTIONS["xyxy_32_bins"], (1, 1), (320, 320)) == (30, 55, 40, 95)


@given(fractions, conventions, sizes, sizes)
def test_decoding_what_was_encoded_stays_within_the_grid(corners, convention, sent, image):
    a, b, c, d = corners
    box = (min(a, c) * image[0], min(b, d) * image[1], max(a, c) * image[0], max(b, d) * image[1])
    written = encode(box, convention, sent, image)
    back = decode(written, convention, sent, image)
    error = grid_error_px(convention, sent, image) * 2
    # A box inside one cell is given the whole cell, so its edges may be off by a cell.
    slack = 2 if convention.bins else 1
    for got, edge, allowed in zip(back, box, error, strict=True):
        assert abs(got - edge) <= slack * allowed + 1e-6


@given(fractions, conventions, sizes, sizes)
def test_a_perfect_model_gives_the_box_back_within_the_grid_and_a_pixel(corners, convention, sent, image):
    a, b, c, d = corners
    box = (min(a, c) * image[0], min(b, d) * image[1], max(a, c) * image[0], max(b, d) * image[1])
    error_x, error_y = grid_error_px(convention, sent, image)
    assume(box[2] - box[0] > 3 + 4 * error_x and box[3] - box[1] > 3 + 4 * error_y)
    resolved = resolve_boxes([group(encode(box, convention, sent, image))], convention, sent, image)
    [[instance]] = resolved.instances
    for got, edge, allowed in zip(instance.bbox, box, (error_x, error_y) * 2, strict=True):
        assert abs(got - edge) <= allowed + 1
    assert resolved.counts.to_record() == {"total": 1}


def resolve(*groups, convention="xyxy_1000", image=(1000, 500), **kwargs):
    return resolve_boxes(groups, CONVENTIONS[convention], (1000, 500), image, **kwargs)


def test_scores_keep_their_source():
    [[stated, default]] = resolve(
        group((0, 0, 100, 100), (500, 500, 900, 900), scores=[0.25, None])
    ).instances
    assert (stated.score, stated.score_source) == (0.25, "model")
    assert (default.score, default.score_source) == (0.9, "default")


def test_duplicates_are_dropped_within_an_expression_only():
    same = (100, 100, 400, 400)
    resolved = resolve(group(same, same), group(same))
    assert [len(instances) for instances in resolved.instances] == [1, 1]
    assert resolved.counts.to_record() == {"total": 3, "duplicate": 1}


def test_everything_is_counted_before_it_is_hidden():
    boxes = group(
        (400, 100, 100, 300),
        (0, 0, 0, 0),
        (700, 700, 1100, 900),
        (500, 500, 1015, 600),
        scores=[0.5, 0.5, 0.5, 0.5],
    )
    resolved = resolve(boxes)
    assert resolved.counts.to_record() == {"total": 4, "out_of_range": 1, "inverted": 1, "degenerate": 1}
    assert [instance.bbox for instance in resolved.instances[0]] == [
        (100, 50, 400, 150),
        (700, 350, 1000, 450),
        (500, 250, 1000, 300),
    ]


def test_a_reply_in_another_frame_fails():
    pixels_of_a_large_photo = group((700, 300, 1200, 800), (10, 10, 300, 300))
    with pytest.raises(
        SampleFailure, match=r"1 of 2 boxes.*xyxy_1000, farthest \[700, 300, 1200, 800\]"
    ) as failure:
        resolve(pixels_of_a_large_photo)
    assert failure.value.reason == Reason.COORDINATES


@pytest.mark.parametrize("far", [(100, 200, 1600, 1700), (-300, 10, 100, 100)], ids=["beyond", "before"])
def test_one_box_far_outside_the_frame_is_not_cut_off_at_its_edge(far):
    with pytest.raises(SampleFailure, match=r"1 of 4 boxes"):
        resolve(group(far, *((n, n, n + 50, n + 60) for n in (10, 200, 400))))


@pytest.mark.parametrize("convention", ["xyxy_px_sent", "yxyx_px_sent"])
def test_the_frame_of_pixels_is_the_image_as_sent_on_each_axis(convention):
    fits = (10, 10, 490, 990) if convention.startswith("yxyx") else (10, 10, 990, 490)
    assert resolve(group(fits), convention=convention).counts.out_of_range == 0
    with pytest.raises(SampleFailure):
        resolve(group((fits[1], fits[0], fits[3], fits[2])), convention=convention)


def test_no_boxes_at_all_is_no_failure():
    resolved = resolve(group(), group())
    assert (resolved.instances, resolved.counts.to_record()) == (((), ()), {"total": 0})


def test_fractions_in_a_grid_reply_are_read_as_fractions_and_counted():
    resolved = resolve(group((0.1, 0.2, 0.5, 1.0)), group((0, 0, 1, 1)), image=(1000, 500))
    assert resolved.counts.read_as_norm == 2
    assert [instances[0].bbox for instances in resolved.instances] == [
        (100, 100, 500, 500),
        (0, 0, 1000, 500),
    ]


@pytest.mark.parametrize(
    "raw",
    [[], [(0, 0, 0, 0)], [(0, 0, 0, 0), (10, 10, 20, 20)], [(-0.1, 0.5, 0.9, 0.9)]],
    ids=["nothing", "zeros only", "zeros among others", "negative"],
)
def test_other_replies_are_read_as_configured(raw):
    assert as_written(raw, CONVENTIONS["xyxy_1000"]) is CONVENTIONS["xyxy_1000"]


@pytest.mark.parametrize("fraction", [(0.5, 0.5, 0.9, 0.9), (0, 0, 1, 1)])
def test_fractions_among_grid_boxes_are_a_failure(fraction):
    with pytest.raises(SampleFailure, match="1 of 2 boxes are fractions") as failure:
        as_written([fraction, (10, 10, 20, 20)], CONVENTIONS["xyxy_1000"])
    assert failure.value.reason == Reason.COORDINATES


def test_the_whole_image_as_a_fraction_is_no_speck():
    assert as_written([(0, 0, 1, 1)], CONVENTIONS["xyxy_1000"]) is CONVENTIONS["xyxy_norm"]
    assert as_written([(0, 0, 1, 1)], CONVENTIONS["xyxy_32_bins"]) is CONVENTIONS["xyxy_32_bins"]


def test_fractions_keep_the_order_of_the_family():
    assert as_written([(0.1, 0.2, 0.5, 1.0)], CONVENTIONS["yxyx_1000"]) is CONVENTIONS["yxyx_norm"]
    assert as_written([(0.1, 0.2, 0.5, 1.0)], CONVENTIONS["yxyx_norm"]) is CONVENTIONS["yxyx_norm"]


@pytest.mark.parametrize(("edge", "counted"), [(1020, 0), (1021, 1), (1049, 1), (-20, 0), (-21, 1)])
def test_an_edge_may_lie_two_hundredths_beyond_the_frame(edge, counted):
    box = (100, 100, edge, 500) if edge > 0 else (edge, 100, 500, 500)
    fits = [(10, 10, 90, 90)] * 3
    group = MatchedExpression(True, (*fits, box), (None,) * 4)
    resolved = resolve_boxes([group], CONVENTIONS["xyxy_1000"], (800, 600), (800, 600))
    assert resolved.counts.out_of_range == counted

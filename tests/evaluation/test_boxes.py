"""IoU and matching against pycocotools, on human boxes of real photos and on drawn ones."""

import contextlib
import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from grounding_assets.core.boxes.geometry import iou_xyxy
from grounding_assets.core.evaluation.boxes import match
from tests.corpus import coco24_gold, needs_corpus


def xywh(box):
    x1, y1, x2, y2 = box
    return [x1, y1, x2 - x1, y2 - y1]


def test_iou_by_hand():
    # 2 x 2 boxes shifted by one: 2 shared of 6; apart: 0; inside: 1 of 4; touching: 0
    ious = iou_xyxy([(0, 0, 2, 2)], [(1, 0, 3, 2), (5, 5, 6, 6), (0, 0, 1, 1), (2, 0, 4, 2), (0, 0, 2, 2)])
    assert ious.tolist() == [[2 / 6, 0, 1 / 4, 0, 1]]
    assert iou_xyxy([], [(0, 0, 1, 1)]).shape == (0, 1)
    assert iou_xyxy([(0, 0, 1, 1)], []).shape == (1, 0)


boxes = st.builds(
    lambda x, y, w, h: (x, y, x + w, y + h),
    *[st.integers(0, 60)] * 2,
    *[st.integers(1, 60)] * 2,
)


@given(st.lists(boxes, min_size=1, max_size=8), st.lists(boxes, min_size=1, max_size=8))
def test_iou_is_pycocotools(predicted, gold):
    ours: Any = [xywh(b) for b in predicted]
    theirs: Any = [xywh(b) for b in gold]
    reference = mask.iou(ours, theirs, [0] * len(gold))
    np.testing.assert_allclose(iou_xyxy(predicted, gold), reference, atol=1e-12)


def pycocotools_matches(predicted, scores, gold, min_iou):
    """The gold box of each prediction by COCOeval, -1 for none; one image, one category."""
    image = {"id": 1, "width": 4000, "height": 4000}
    annotations = [
        {"id": k + 1, "image_id": 1, "category_id": 1, "bbox": xywh(b), "area": 1.0, "iscrowd": 0}
        for k, b in enumerate(gold)
    ]
    results = [
        {"image_id": 1, "category_id": 1, "bbox": xywh(b), "score": s}
        for b, s in zip(predicted, scores, strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        coco: Any = COCO()
        coco.dataset = {"images": [image], "annotations": annotations, "categories": [{"id": 1}]}
        coco.createIndex()
        found = coco.loadRes(results)
        evaluation = COCOeval(coco, found, "bbox")
        evaluation.params.maxDets = [1000]
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.params.iouThrs = np.array([min_iou])
        evaluation.evaluate()
    [outcome] = evaluation.evalImgs
    chosen = np.full(len(predicted), -1)
    for detection, annotation in zip(outcome["dtIds"], outcome["dtMatches"][0], strict=True):
        chosen[int(detection) - 1] = int(annotation) - 1
    return chosen


@settings(max_examples=150, deadline=None)
@given(
    st.lists(boxes, min_size=1, max_size=7),
    st.lists(st.tuples(boxes, st.sampled_from([0.2, 0.5, 0.5, 0.9])), min_size=1, max_size=7),
    st.sampled_from([0.1, 0.5, 0.75]),
)
def test_matching_is_pycocotools(gold, predictions, min_iou):
    predicted, scores = [b for b, _ in predictions], [s for _, s in predictions]
    ours = match(iou_xyxy(predicted, gold), scores, min_iou)
    assert ours.tolist() == pycocotools_matches(predicted, scores, gold, min_iou).tolist()


@needs_corpus("coco24")
@pytest.mark.parametrize("min_iou", [0.5, 0.75])
def test_matching_is_pycocotools_on_human_boxes_jittered(min_iou):
    rng = np.random.default_rng(24)
    compared = matched = 0
    for row in coco24_gold():
        gold = [tuple(instance["box"]) for instance in row["instances"] if not instance["iscrowd"]]
        sizes = np.array([[x2 - x1, y2 - y1] * 2 for x1, y1, x2, y2 in gold])
        for spread in (0.02, 0.1, 0.25):
            moved = np.array(gold) + rng.normal(0, spread, (len(gold), 4)) * sizes
            moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
            # some twice, some missing, in any order, scores with ties
            picked = rng.choice(len(gold), len(gold), replace=True)
            scores = rng.integers(1, 10, len(picked)) / 10
            ours = match(iou_xyxy(moved[picked], gold), scores.tolist(), min_iou)
            theirs = pycocotools_matches(moved[picked].tolist(), scores.tolist(), gold, min_iou)
            assert ours.tolist() == theirs.tolist()
            compared += len(picked)
            matched += int((ours >= 0).sum())
    assert compared == 3 * 152 and 100 < matched < compared

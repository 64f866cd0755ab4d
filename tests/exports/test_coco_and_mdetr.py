"""COCO and MDETR files read back by pycocotools."""

import contextlib
import io
import posixpath
from collections import Counter
from typing import Any

from hypothesis import given, settings
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from grounding_assets.core.exports import export
from grounding_assets.core.spec.export_settings import ExportSpec
from tests.exports.record_strategies import one_expression, one_record, record_lists


def load(path) -> Any:
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


def as_xyxy(bbox):
    x, y, w, h = bbox
    return [x, y, x + w, y + h]


@settings(max_examples=60, deadline=None)
@given(rows=record_lists)
def test_mdetr_holds_captions_spans_and_boxes(rows, tmp_path_factory):
    out = tmp_path_factory.mktemp("mdetr")
    report = export(rows, out, "mdetr")
    coco = load(out / "train.json")
    assert sorted(coco.imgs) == list(range(1, len(rows) + 1))
    assert sorted(coco.anns) == list(range(1, report.splits["train"].boxes + 1))
    for image_id, row in enumerate(rows, 1):
        image = coco.imgs[image_id]
        assert (image["file_name"], image["caption"]) == (row["image_path"], row["cleaned_caption"])
        assert (image["width"], image["height"]) == (row["width"], row["height"])
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=[image_id]))
        wanted = [(e["char_span"], i["bbox"]) for e in row["expressions"] for i in e["instances"]]
        assert [(a["tokens_positive"], as_xyxy(a["bbox"])) for a in annotations] == [
            ([span], bbox) for span, bbox in wanted
        ]
        assert all(a["area"] == a["bbox"][2] * a["bbox"][3] and a["iscrowd"] == 0 for a in annotations)
        spans = [[e["char_span"]] for e in row["expressions"] if e["instances"]]
        assert image["tokens_positive_eval"] == spans
    assert coco.getCatIds() == [1]


@settings(max_examples=60, deadline=None)
@given(rows=record_lists)
def test_coco_holds_each_image_once_and_each_box_once(rows, tmp_path_factory):
    out = tmp_path_factory.mktemp("coco")
    export(rows, out, "coco")
    coco = load(out / "train.json")
    wanted: dict[str, set] = {}
    for row in rows:
        boxes = wanted.setdefault(posixpath.normpath(row["image_path"]), set())
        for expression in row["expressions"]:
            name = " ".join((expression["noun_chunk"].strip() or expression["text"]).lower().split())
            boxes.update((name, *instance["bbox"]) for instance in expression["instances"])
    found = {posixpath.normpath(image["file_name"]): set() for image in coco.imgs.values()}
    assert len(found) == len(coco.imgs)
    for annotation in coco.anns.values():
        image = posixpath.normpath(coco.imgs[annotation["image_id"]]["file_name"])
        name = coco.cats[annotation["category_id"]]["name"]
        found[image].add((name, *as_xyxy(annotation["bbox"])))
    assert found == wanted
    assert len(coco.anns) == sum(len(boxes) for boxes in wanted.values())
    assert sorted(coco.cats) == list(range(len(coco.cats)))
    assert sorted(coco.anns) == list(range(1, len(coco.anns) + 1))


def test_category_ids_agree_between_splits(tmp_path):
    rows = []
    for n in range(40):
        what = ["a dog", "a cat", "Two  Cats", "a zebra"][n % 4]
        row = one_record(
            image_path=f"{n}.jpg", cleaned_caption=what, expressions=[one_expression(what, 0, [[0, 0, 9, 9]])]
        )
        rows.append(row)
    export(rows, tmp_path, "coco", ExportSpec(fractions={"train": 0.5, "val": 0.5}))
    train, val = load(tmp_path / "train.json"), load(tmp_path / "val.json")
    assert (
        train.cats
        == val.cats
        == {
            0: {"id": 0, "name": "a cat"},
            1: {"id": 1, "name": "a dog"},
            2: {"id": 2, "name": "a zebra"},
            3: {"id": 3, "name": "two cats"},
        }
    )
    assert len(train.imgs) + len(val.imgs) == 40
    assert train.imgs and val.imgs


def test_pycocotools_scores_an_export_against_itself_as_perfect(tmp_path):
    rows = [one_record(image_path=f"{n}.jpg") for n in range(5)]
    export(rows, tmp_path, "coco")
    coco = load(tmp_path / "train.json")
    results = [
        {"image_id": a["image_id"], "category_id": a["category_id"], "bbox": a["bbox"], "score": 0.9}
        for a in coco.anns.values()
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(coco, coco.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert evaluation.stats[0] == 1.0


def test_boxes_that_another_caption_repeats_are_counted(tmp_path):
    rows = [one_record(image_id=str(n)) for n in range(5)]
    report = export(rows, tmp_path, "coco")
    counts = report.splits["train"]
    assert (counts.images, counts.samples, counts.boxes) == (1, 5, 3)
    assert report.left_out["boxes that another caption repeats"] == 12
    assert Counter(a["category_id"] for a in load(tmp_path / "train.json").anns.values()) == {0: 1, 1: 2}

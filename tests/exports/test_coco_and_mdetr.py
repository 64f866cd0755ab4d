"""COCO and MDETR files read back by pycocotools."""

import contextlib
import io
import posixpath
import xml.etree.ElementTree as ET
from collections import Counter
from typing import Any

import pytest
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


def by_caption(coco):
    """Each caption's image entry and annotations, in the order of the file."""
    return [
        (image, coco.loadAnns(coco.getAnnIds(imgIds=[image_id])))
        for image_id, image in sorted(coco.imgs.items())
    ]


@settings(max_examples=60, deadline=None)
@given(rows=record_lists)
def test_mdetr_holds_captions_spans_and_boxes(rows, tmp_path_factory):
    out = tmp_path_factory.mktemp("mdetr")
    report = export(rows, out, "mdetr")
    coco = load(out / "train.json")
    kept = [row for row in rows if row["cleaned_caption"].strip()]
    # captions of an image stand together
    first = {}
    for row in kept:
        first.setdefault(posixpath.normpath(row["image_path"]), len(first))
    kept.sort(key=lambda row: first[posixpath.normpath(row["image_path"])])
    assert sorted(coco.imgs) == list(range(1, len(kept) + 1))
    assert sorted(coco.anns) == list(range(1, report.splits["train"].boxes + 1))
    for row, (image, annotations) in zip(kept, by_caption(coco), strict=True):
        assert posixpath.normpath(image["file_name"]) == posixpath.normpath(row["image_path"])
        assert (image["width"], image["height"]) == (row["width"], row["height"])
        wanted = [(e["text"].split(), i["bbox"]) for e in row["expressions"] for i in e["instances"]]
        found = []
        for a in annotations:
            [[start, end]] = a["tokens_positive"]
            found.append((image["caption"][start:end].split(), as_xyxy(a["bbox"])))
        assert sorted(found) == sorted(wanted)
        assert all(a["area"] == a["bbox"][2] * a["bbox"][3] and a["iscrowd"] == 0 for a in annotations)
        if all(e["instances"] or e["grounding_status"] == "none_seen" for e in row["expressions"]):
            assert image["caption"] == row["cleaned_caption"].lstrip()
    assert coco.getCatIds() in ([1], [])


@settings(max_examples=60, deadline=None)
@given(rows=record_lists)
def test_mdetr_files_can_be_evaluated(rows, tmp_path_factory):
    """By mmdetection's metric, which compares a phrase's number; by MDETR's, which reads the Flickr30k folder beside."""
    out = tmp_path_factory.mktemp("evaluated")
    export(rows, out / "mdetr", "mdetr")
    export(rows, out / "flickr", "flickr30k_entities")
    judged = {}
    for image, annotations in by_caption(load(out / "mdetr" / "train.json")):
        spans = [span for [span] in image["tokens_positive_eval"]]
        # mmdetection numbers the ids that occur anew, in their order
        ids = sorted({a["phrase_ids"] for a in annotations})
        for number, span in enumerate(spans):
            boxed = [a["tokens_positive"] for a in annotations if ids.index(a["phrase_ids"]) == number]
            assert boxed and all(tokens == [span] for tokens in boxed)
        judged[image["original_img_id"], image["sentence_id"]] = len(spans)
    numbers = (out / "flickr" / "train.txt").read_text().split()
    wanted = {}
    for number in numbers:
        boxed = {
            e.text
            for e in ET.parse(out / "flickr" / "Annotations" / f"{number}.xml").findall("object[bndbox]/name")
        }
        lines = (out / "flickr" / "Sentences" / f"{number}.txt").read_text(encoding="utf-8").split("\n")[:-1]
        for sentence_id, line in enumerate(lines):
            entities = [token[5:].split("/")[0] for token in line.split() if token.startswith("[/EN#")]
            wanted[int(number), sentence_id] = sum(entity in boxed for entity in entities)
    assert judged == wanted


@settings(max_examples=60, deadline=None)
@given(rows=record_lists)
def test_coco_holds_each_image_once_and_each_box_once(rows, tmp_path_factory):
    out = tmp_path_factory.mktemp("coco")
    export(rows, out, "coco", ExportSpec(merge_iou=1))
    coco = load(out / "train.json")
    images: dict[str, list] = {}
    for row in rows:
        boxes = images.setdefault(posixpath.normpath(row["image_path"]), [])
        for expression in row["expressions"]:
            boxes += [i["bbox"] for i in expression["instances"]]
    found = {posixpath.normpath(image["file_name"]): [] for image in coco.imgs.values()}
    assert len(found) == len(coco.imgs)
    for annotation in coco.anns.values():
        image = posixpath.normpath(coco.imgs[annotation["image_id"]]["file_name"])
        found[image].append((annotation["category_id"], *as_xyxy(annotation["bbox"])))
    for image, boxes in images.items():
        assert len(found[image]) == len(set(found[image]))
        assert {box[1:] for box in found[image]} == set(map(tuple, boxes))
    assert sorted(coco.cats) == list(range(1, len(coco.cats) + 1))
    assert sorted(coco.anns) == list(range(1, len(coco.anns) + 1))


@pytest.mark.parametrize("first", [0, 1])
def test_categories_agree_between_splits_and_none_is_found_inside_an_earlier_one(tmp_path, first):
    rows = []
    for n in range(40):
        what = ["airplane", "plane", "Two  Cats", "cat", "St. Bernard"][n % 5]
        row = one_record(
            image_path=f"{n}.jpg", cleaned_caption=what, expressions=[one_expression(what, 0, [[0, 0, 9, 9]])]
        )
        rows.append(row)
    export(rows, tmp_path, "coco", ExportSpec(fractions={"train": 0.5, "val": 0.5}, first_category_id=first))
    train, val = load(tmp_path / "train.json"), load(tmp_path / "val.json")
    names = ["cat", "plane", "airplane", "two cats", "st bernard"]
    assert train.cats == val.cats == {n: {"id": n, "name": name} for n, name in enumerate(names, first)}
    text = " . ".join(names)
    found = [text.find(name) for name in names]
    assert found == sorted(found) and all(text[:at].count(" . ") == n for n, at in enumerate(found))
    assert len(train.imgs) + len(val.imgs) == 40
    assert train.imgs and val.imgs


CAR = [100, 100, 300, 200]
ONE_OBJECT = {
    "five captions, boxes jittered": (
        [[("a car", "car", [[100 + d, 100 - d, 300 - d, 200 + d]])] for d in (0, 4, -4, 8, -8)],
        1,
    ),
    "the same words twice in one caption": ([[("a car", "car", [CAR]), ("the car", "car", [CAR])]], 1),
    "two captions, another category": ([[("a car", "car", [CAR])], [("a van", "van", [CAR])]], 2),
    "two objects of one expression that overlap": ([[("two men", "man", [CAR, [120, 100, 320, 200]])]], 2),
    "the same two from another caption": (
        [
            [("two men", "man", [CAR, [120, 100, 320, 200]])],
            [("men", "man", [[121, 100, 321, 200], [99, 100, 299, 200]])],
        ],
        2,
    ),
    "neighbours in one caption": (
        [[("a man", "man", [CAR]), ("another man", "man", [[120, 100, 320, 200]])]],
        2,
    ),
    "far apart": ([[("a car", "car", [CAR])], [("a car", "car", [[400, 100, 600, 200]])]], 2),
}


@pytest.mark.parametrize("fmt", ["coco", "odvg_detection"])
@pytest.mark.parametrize(("captions", "objects"), ONE_OBJECT.values(), ids=ONE_OBJECT)
def test_an_object_of_several_captions_is_one_annotation(tmp_path, captions, objects, fmt):
    rows = []
    for number, phrases in enumerate(captions):
        caption = " ".join(text for text, _, _ in phrases)
        expressions = [
            one_expression(text, caption.index(text), boxes, noun) for text, noun, boxes in phrases
        ]
        rows.append(one_record(image_id=str(number), cleaned_caption=caption, expressions=expressions))
    report = export(rows, tmp_path, fmt)
    stated = sum(len(boxes) for phrases in captions for _, _, boxes in phrases)
    merged = "boxes of an object that another expression or caption boxes as well"
    assert report.splits["train"].boxes == objects == stated - report.left_out[merged]


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
    assert report.left_out["boxes of an object that another expression or caption boxes as well"] == 12
    assert Counter(a["category_id"] for a in load(tmp_path / "train.json").anns.values()) == {1: 1, 2: 2}

"""Flickr30k Entities and RefCOCO files as gold."""

import json
import os
import pickle

import pytest
from hypothesis import given, settings

from grounding_assets.core.errors import InputError
from grounding_assets.core.evaluation import JudgeOptions, Resampling, evaluate
from grounding_assets.core.evaluation.gold import flickr30k_gold, refcoco_gold
from grounding_assets.core.exports import export
from tests.exports.record_strategies import record_lists

SENTENCES = """\
[/EN#1/people A man] in [/EN#2/clothing a blue shirt] is standing on [/EN#3/scene a street] .
[/EN#1/people The man] hugs [/EN#0/notvisual each other] near [/EN#4/other/people his dogs] , [/EN#5/other a car]

"""
ANNOTATION = """<annotation><filename>36979.jpg</filename>
<size><width>500</width><height>375</height><depth>3</depth></size>
<object><name>1</name><name>2</name>
<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>101</xmax><ymax>202</ymax></bndbox></object>
<object><name>4</name><bndbox><xmin>11</xmin><ymin>11</ymin><xmax>21</xmax><ymax>21</ymax></bndbox></object>
<object><name>4</name><bndbox><xmin>31</xmin><ymin>31</ymin><xmax>600</xmax><ymax>41</ymax></bndbox></object>
<object><name>3</name><scene>1</scene><nobndbox>0</nobndbox></object>
<object><name>5</name><scene>0</scene><nobndbox>1</nobndbox></object>
</annotation>"""


def flickr_folder(tmp_path, sentences=SENTENCES, annotation=ANNOTATION):
    for name, suffix, text in (("Sentences", "txt", sentences), ("Annotations", "xml", annotation)):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"36979.{suffix}").write_text(text, encoding="utf-8")
    return tmp_path


def shown(record):
    return [
        (e["text"], [i["bbox"] for i in e["instances"]], e["grounding_status"]) for e in record["expressions"]
    ]


def test_flickr_sentences_become_records(tmp_path):
    first, second = flickr30k_gold(flickr_folder(tmp_path), image_prefix="images/")
    assert first["cleaned_caption"] == "A man in a blue shirt is standing on a street ."
    assert (first["image_path"], first["width"], first["height"]) == ("images/36979.jpg", 500, 375)
    assert shown(first) == [
        ("A man", [[0, 1, 100, 201]], "boxed"),
        ("a blue shirt", [[0, 1, 100, 201]], "boxed"),
        ("a street", [], "not_mentioned"),
    ]
    assert second["cleaned_caption"] == "The man hugs each other near his dogs , a car"
    assert shown(second) == [
        ("The man", [[0, 1, 100, 201]], "boxed"),
        ("his dogs", [[10, 10, 20, 20], [30, 30, 500, 40]], "boxed"),
        ("a car", [], "none_seen"),
    ]
    overall = evaluate([first, second], [first, second], JudgeOptions("step_1"), Resampling(100)).overall
    assert (overall["r1_50"].of, overall["absent_rejected"].of) == (4, 1)


def test_flickr_splits_and_errors(tmp_path):
    root = flickr_folder(tmp_path)
    (root / "test.txt").write_text("36979\n")
    (root / "val.txt").write_text("36979\n42\n")
    assert len(list(flickr30k_gold(root, root / "test.txt"))) == 2
    with pytest.raises(InputError, match=r"42\.xml"):
        list(flickr30k_gold(root, root / "val.txt"))
    with pytest.raises(InputError, match="Cannot read Flickr30k Entities"):
        list(flickr30k_gold(root / "nowhere"))
    (root / "Sentences" / "36979.txt").write_text("fine .\n[/EN#1/people A man is\n")
    with pytest.raises(InputError, match="line 2 has broken brackets: a phrase is not closed"):
        list(flickr30k_gold(root))
    (root / "Annotations" / "36979.xml").write_text("<annotation><size/></annotation>")
    with pytest.raises(InputError, match=r"36979\.xml is not a Flickr30k annotation: no size/width"):
        list(flickr30k_gold(root))


@settings(max_examples=40, deadline=None)
@given(rows=record_lists)
def test_our_own_flickr_export_read_as_gold_has_the_same_phrases_and_boxes(rows, tmp_path_factory):
    out = tmp_path_factory.mktemp("flickr")
    report = export(rows, out, "flickr30k_entities")
    gold = list(flickr30k_gold(out, out / "train.txt"))
    counts = report.splits["train"]
    assert len(gold) == counts.samples
    assert sum(len(r["expressions"]) for r in gold) == counts.expressions
    boxes = [i["bbox"] for r in gold for e in r["expressions"] for i in e["instances"]]
    assert len(boxes) == counts.boxes
    known = [i["bbox"] for r in rows for e in r["expressions"] for i in e["instances"]]
    assert all(box in known for box in boxes)
    if gold:
        overall = evaluate(gold, gold, JudgeOptions("step_1"), Resampling(100)).overall
        assert overall["box_recall_75"].value in (1.0, None)


REFS = [
    {
        "ref_id": 1,
        "ann_id": 10,
        "image_id": 100,
        "category_id": 1,
        "split": "val",
        "file_name": "COCO_train2014_000000000100_0.jpg",
        "sentences": [
            {"sent_id": 1, "sent": "left man", "raw": "Left man", "tokens": ["left", "man"]},
            {"sent_id": 2, "sent": "guy in  caf\u00e9", "raw": "x", "tokens": []},
            {"sent_id": 3, "sent": "left man", "raw": "left man", "tokens": []},
        ],
    },
    {
        "ref_id": 2,
        "ann_id": 11,
        "image_id": 100,
        "category_id": 1,
        "split": "testA",
        "sentences": [{"sent_id": 4, "sent": "right man"}],
    },
]
INSTANCES = {
    "images": [{"id": 100, "file_name": "COCO_train2014_000000000100.jpg", "width": 640, "height": 480}],
    "annotations": [
        {"id": 10, "image_id": 100, "category_id": 1, "bbox": [10.4, 20.6, 100, 200], "segmentation": [[1]]},
        {"id": 11, "image_id": 100, "category_id": 1, "bbox": [300, 20, 100.7, 470], "segmentation": [[1]]},
        {"id": 12, "image_id": 100, "category_id": 1, "bbox": [0, 0, 1, 1], "segmentation": [[1]]},
    ],
    "categories": [{"id": 1, "name": "person"}],
}


def refcoco_files(tmp_path, refs, protocol=2):
    path, instances = tmp_path / "refs(unc).p", tmp_path / "instances.json"
    path.write_bytes(refs if isinstance(refs, bytes) else pickle.dumps(refs, protocol=protocol))
    instances.write_text(json.dumps(INSTANCES))
    return path, instances


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_refcoco_sentences_become_records(tmp_path, protocol):
    records = list(refcoco_gold(*refcoco_files(tmp_path, REFS, protocol), split="val", image_prefix="t/"))
    assert [(r["image_path"], r["caption"], shown(r)) for r in records] == [
        (
            "t/COCO_train2014_000000000100.jpg",
            "left man",
            [("left man", [[10, 21, 110, 221]], "boxed")],
        ),
        (
            "t/COCO_train2014_000000000100.jpg",
            "guy in caf\u00e9",
            [("guy in caf\u00e9", [[10, 21, 110, 221]], "boxed")],
        ),
    ]
    assert len(list(refcoco_gold(*refcoco_files(tmp_path, REFS)))) == 3


class Harmful:
    def __reduce__(self):
        return (os.mkdir, ("harmed",))


def test_a_pickle_that_would_run_code_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="which is not plain data"):
        list(refcoco_gold(*refcoco_files(tmp_path, pickle.dumps([Harmful()]))))
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize(
    ("refs", "message"),
    [
        (b"", "not a pickle of references"),
        (b"\x80\x02]q\x00(", "not a pickle of references"),
        ({}, "does not hold a list"),
        ([], "has no references"),
        ([{"split": "val"}], "do not make a RefCOCO data set: KeyError"),
        ([{**REFS[0], "ann_id": 99}], "do not make a RefCOCO data set: KeyError"),
        ([1], "do not make a RefCOCO data set: TypeError"),
    ],
)
def test_files_of_another_form_are_named(tmp_path, refs, message):
    with pytest.raises(InputError, match=message):
        list(refcoco_gold(*refcoco_files(tmp_path, refs), split="" if refs == [1] else "val"))
    with pytest.raises(InputError, match="no references of split 'testC'"):
        list(refcoco_gold(*refcoco_files(tmp_path, REFS), split="testC"))

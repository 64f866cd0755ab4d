"""ODVG files read back by a reader that does what mmdetection's and Open-GroundingDino's loaders do."""

import json
import random
from pathlib import Path
from typing import Any

from hypothesis import given, settings

from grounding_assets.core.exports import export
from tests.exports.record_strategies import one_expression, one_record, record_lists


def load_as_mmdetection(path: Path) -> list[dict[str, Any]]:
    """Captions as they are tokenized, boxes with label, and each label's spans; small boxes are dropped."""
    samples = []
    with path.open(encoding="ascii") as lines:
        for line in lines:
            meta = json.loads(line)
            instances, phrases = [], {}
            for label, region in enumerate(meta["grounding"]["regions"]):
                x1, y1, x2, y2 = region["bbox"]
                inside_width = max(0, min(x2, meta["width"]) - max(x1, 0))
                inside_height = max(0, min(y2, meta["height"]) - max(y1, 0))
                if inside_width * inside_height == 0 or x2 - x1 < 1 or y2 - y1 < 1:
                    continue
                instances.append((region["bbox"], label))
                phrases[label] = (region["phrase"], region["tokens_positive"])
            text = meta["grounding"]["caption"].strip()
            samples.append(
                {"path": meta["filename"], "text": text, "instances": instances, "phrases": phrases}
            )
    return samples


def load_as_open_groundingdino(path: Path) -> list[tuple[str, list[tuple[list[int], str]]]]:
    """Boxes with their phrases; a line without regions raises ValueError, as that loader does."""
    samples = []
    with path.open(encoding="ascii") as lines:
        for line in lines:
            meta = json.loads(line)
            pairs = [(region["bbox"], region["phrase"]) for region in meta["grounding"]["regions"]]
            random.Random(0).shuffle(pairs)
            boxes, phrases = zip(*pairs, strict=True)
            samples.append((meta["filename"], list(zip(boxes, phrases, strict=True))))
    return samples


@settings(max_examples=60, deadline=None)
@given(rows=record_lists)
def test_every_boxed_expression_comes_back(rows, tmp_path_factory):
    out = tmp_path_factory.mktemp("odvg")
    report = export(rows, out, "odvg")
    boxed = [row for row in rows if any(e["instances"] for e in row["expressions"])]
    loaded = load_as_mmdetection(out / "train.jsonl")
    assert len(loaded) == len(boxed) == report.splits["train"].samples
    for sample, row in zip(loaded, boxed, strict=True):
        wanted = [(e, i["bbox"]) for e in row["expressions"] for i in e["instances"]]
        assert sample["path"] == row["image_path"]
        assert [bbox for bbox, _ in sample["instances"]] == [bbox for _, bbox in wanted]
        for (_, label), (expression, _) in zip(sample["instances"], wanted, strict=True):
            phrase, [[start, end]] = sample["phrases"][label]
            # the loader strips the caption: the span must hold in what is left
            assert sample["text"][start:end] == phrase.rstrip() or sample["text"][start:end] == phrase
            assert phrase.split() == expression["text"].split()
    assert len(load_as_open_groundingdino(out / "train.jsonl")) == len(boxed)


def test_a_line_has_exactly_the_fields_of_the_format(tmp_path):
    export([one_record()], tmp_path, "odvg")
    [line] = (tmp_path / "train.jsonl").read_text().splitlines()
    caption = "A red car is parked beside a tree."
    assert json.loads(line) == {
        "file_name": "photos/7.jpg",
        "filename": "photos/7.jpg",
        "height": 480,
        "width": 640,
        "grounding": {
            "caption": caption,
            "regions": [
                {"bbox": [10, 20, 300, 400], "phrase": "A red car", "tokens_positive": [[0, 9]]},
                {"bbox": [300, 0, 640, 470], "phrase": "a tree", "tokens_positive": [[27, 33]]},
                {"bbox": [0, 0, 9, 9], "phrase": "a tree", "tokens_positive": [[27, 33]]},
            ],
        },
    }


def test_leading_white_space_does_not_shift_spans_in_a_loader_that_strips(tmp_path):
    caption = " \n A cat 👩‍👩‍👧 sleeps"
    row = one_record(cleaned_caption=caption, expressions=[one_expression("A cat", 3, [[0, 0, 5, 5]])])
    export([row], tmp_path, "odvg")
    [sample] = load_as_mmdetection(tmp_path / "train.jsonl")
    assert sample["text"] == "A cat 👩‍👩‍👧 sleeps"
    assert sample["phrases"][0] == ("A cat", [[0, 5]])


def test_samples_without_regions_are_left_out_and_counted(tmp_path):
    rows = [one_record(expressions=[]), one_record(expressions=[one_expression("A red car", 0, [])])]
    report = export([*rows, one_record()], tmp_path, "odvg")
    assert len(load_as_open_groundingdino(tmp_path / "train.jsonl")) == 1
    assert report.left_out["samples without a box, which ODVG loaders refuse"] == 2
    assert report.left_out["expressions without a box, which ODVG cannot hold"] == 1

"""Results sent to Label Studio and CVAT, and what people changed there, as marks.

What the tools themselves make of these files: `tests/review/try_other_tools.py`.
"""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from grounding_assets.core.dataset.annotated import read_samples
from grounding_assets.core.errors import InputError
from grounding_assets.core.review.exchange import send
from grounding_assets.core.review.marks import MarksFile, read_marks
from tests.review.marking import DATA_SET, judged_record

RECORDS = [judged_record("0001"), judged_record("0002", image_path="0001.jpg")]
"""Two captions of one photo."""


def sent(folder: Path, tool: Any) -> Any:
    first, _ = send(tool, read_samples(copy.deepcopy(RECORDS), "records"), folder, DATA_SET, "/photos/")
    return json.loads(first.read_text())


def marks_from(folder: Path, tree: Any) -> MarksFile:
    (folder / "back.json").write_text(json.dumps(tree))
    return read_marks(folder / "back.json", DATA_SET, folder)


def said(marks: MarksFile) -> dict[str, dict[int, tuple[str | None, list[list[int]] | None]]]:
    """By sample and expression."""
    return {
        mark.sample_id: {
            phrase.index: (
                phrase.verdict,
                None if phrase.boxes is None else [list(map(int, box)) for box in phrase.boxes],
            )
            for phrase in mark.expressions
        }
        for mark in marks.marks
    }


def annotated(
    task: dict[str, Any], *, drop: str = "", move: str = "", **choices: list[str]
) -> dict[str, Any]:
    """The task as Label Studio exports it: predictions kept, some of its regions changed, some choices made."""
    regions = [copy.deepcopy(r) for r in task["predictions"][0]["result"] if r["id"] != drop]
    for region in regions:
        if region["id"] == move:
            region["value"]["x"] += 10
    made = [
        {"type": "choices", "from_name": n, "to_name": "photo", "value": {"choices": c}}
        for n, c in choices.items()
    ]
    last = {"id": 2, "completed_by": {"id": 1, "email": "anna@example.org"}, "updated_at": "2026-11-01T10:00:00.000000Z",
            "was_cancelled": False, "result": [*regions, *made]}  # fmt: skip
    first = last | {"id": 1, "updated_at": "2026-10-01T10:00:00.000000Z", "result": []}
    skipped = last | {
        "id": 3,
        "updated_at": "2026-12-01T10:00:00.000000Z",
        "was_cancelled": True,
        "result": [],
    }
    return task | {"id": 7, "annotations": [last, first, skipped]}


def test_label_studio_gets_predictions_in_percent_and_labels_of_each_task(tmp_path: Path) -> None:
    task, _ = sent(tmp_path, "label_studio")
    assert task["data"]["image"] == "/photos/0001.jpg"
    assert [phrase["value"] for phrase in task["data"]["phrases"]] == [
        "1. A dog",
        "2. a cat",
        "3. two birds",
        "4. a lawn",
    ]
    region = task["predictions"][0]["result"][1]
    assert region["value"] == {
        "x": 20,
        "y": 20,
        "width": 30,
        "height": 30,
        "rotation": 0,
        "rectanglelabels": ["2. a cat"],
    }


def test_what_label_studio_exports_becomes_marks(tmp_path: Path) -> None:
    first, second = sent(tmp_path, "label_studio")
    marks = marks_from(
        tmp_path,
        [
            annotated(first, drop="e0b0", move="e1b0", rejected=["3. two birds"]),
            annotated(second, verdict=["accept"]),
        ],
    )
    assert marks.reviewer == "anna@example.org"
    assert said(marks) == {
        "0001": {0: (None, []), 1: (None, [[30, 20, 60, 50]]), 2: ("reject", None)},
        "0002": {},
    }
    assert [mark.verdict for mark in marks.marks] == [None, "accept"]


def test_what_cvat_exports_becomes_marks(tmp_path: Path) -> None:
    coco = sent(tmp_path, "cvat")
    assert [image["id"] for image in coco["images"]] == [1] and coco["categories"][0]["id"] == 1
    assert [annotation["id"] for annotation in coco["annotations"]] == list(range(1, 9))
    back = {"images": coco["images"], "annotations": coco["annotations"][1:]}
    back["annotations"][0]["bbox"] = [25.4, 20, 30, 30]
    back["annotations"][1]["bbox"][0] += 0.4
    drawn = {
        "id": 99,
        "image_id": 1,
        "bbox": [1, 2, 3, 4],
        "attributes": {"sample_id": "0002", "expression": "3"},
    }
    marks = marks_from(tmp_path, back | {"annotations": [*back["annotations"], drawn]})
    assert said(marks) == {
        "0001": {0: (None, []), 1: (None, [[25, 20, 55, 50]])},
        "0002": {3: (None, [[1, 2, 4, 6]])},
    }


@pytest.mark.parametrize(
    ("tool", "tree", "told"),
    [
        ("label_studio", [{"image": "x.jpg", "phrase": []}], "JSON-MIN"),
        ("label_studio", [], "0 annotated tasks"),
        ("cvat", {"images": [], "annotations": [{"id": 3, "bbox": [1, 2, 3, 4]}]}, "Box 3"),
        ("cvat", {"images": [], "annotations": [{"id": 3, "bbox": [1, 2, 3, 4],
                                                "attributes": {"sample_id": "0001", "expression": "9"}}]}, "Box 3"),
    ],
)  # fmt: skip
def test_what_was_not_sent_is_refused(tmp_path: Path, tool: str, tree: Any, told: str) -> None:
    sent(tmp_path, tool)
    with pytest.raises(InputError, match=told):
        marks_from(tmp_path, tree)


def test_a_coco_file_without_what_was_sent_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="what was sent to CVAT"):
        marks_from(tmp_path, {"images": [], "annotations": []})

"""What leaving out refuted boxes would change, on a case counted by hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from grounding_assets.cli import main
from grounding_assets.core.evaluation.results import judge_results, write_judgement
from tests.evaluation.lines import expression, line

CAR, CAR_HALF, LEFT_DOG, RIGHT_DOG = [0, 0, 100, 100], [0, 0, 100, 50], [200, 0, 300, 100], [400, 0, 500, 100]
TREE, NOWHERE, ELSEWHERE = [600, 0, 700, 100], [900, 900, 1000, 1000], [800, 800, 850, 850]
GOLD = [
    line(
        [
            expression("A red car", [CAR]),
            expression("two dogs", [LEFT_DOG, RIGHT_DOG]),
            expression("a lake", []),
        ]
    ),
    line(
        [expression("A red car", [CAR]), expression("a tree", [TREE]), expression("a lake", [])],
        image_path="2.jpg",
    ),
]


def verified_expression(text: str, boxes: list[tuple[list[int], float, bool | None]]) -> dict[str, Any]:
    """An expression of the results; each box with its score and verdict."""
    row = expression(text, [box for box, _, _ in boxes], [score for _, score, _ in boxes] or None)
    for instance, (_, _, verdict) in zip(row["instances"], boxes, strict=True):
        instance["verified"] = verdict
    return row


RESULTS = [
    line(
        [
            # the half of the car has an IoU of exactly 0.5: right, and refuted
            verified_expression("A red car", [(CAR_HALF, 0.9, False), (NOWHERE, 0.8, False)]),
            verified_expression("two dogs", [(LEFT_DOG, 0.9, True), (RIGHT_DOG, 0.9, True)]),
            verified_expression("a lake", [(NOWHERE, 0.7, False)]),
            verified_expression("a tree", [(ELSEWHERE, 0.7, False)]),
        ]
    ),
    line(
        [
            verified_expression("A red car", [(NOWHERE, 0.6, None)]),
            verified_expression("a tree", [(TREE, 0.9, True)]),
            verified_expression("a lake", []),
        ],
        image_path="2.jpg",
    ),
]
"""Of image 1, gold says nothing about a tree: its box is not judged."""


def written(folder: Path, results: list[dict[str, Any]] = RESULTS) -> tuple[Path, Path]:
    gold, annotations = folder / "gold.jsonl", folder / "results" / "annotations.jsonl"
    annotations.parent.mkdir(exist_ok=True)
    for file, rows in ((gold, GOLD), (annotations, results)):
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return gold, annotations


def test_boxes_are_counted_and_figures_compared(tmp_path: Path) -> None:
    judgement = judge_results(*written(tmp_path))
    look = json.loads(write_judgement(judgement, tmp_path).read_text())["verification"]
    assert {
        name: look[name] for name in ("boxes", "verdicts", "refuted", "refuted_wrong", "refuted_right")
    } == {
        "boxes": 2 + 2 + 1 + 1 + 1,
        "verdicts": 6,
        "refuted": 3,
        "refuted_wrong": 2,
        "refuted_right": 1,
    }
    figures = look["comparison"]["overall"]
    compared = {name: (one["first"], one["second"], one["difference"]) for name, one in figures.items()}
    for name, before, after in (
        # of 5 gold boxes, the half of the car, both dogs and the tree are found; then it is not
        ("box_recall_50", 4 / 5, 3 / 5),
        ("box_precision_50", 4 / 7, 3 / 4),
        # of 4 present expressions: car, dogs and tree; then the first car has no box
        ("r1_50", 3 / 4, 2 / 4),
        # dogs and tree have all boxes and no other; answered are 5 expressions, then 3: two have no box left
        ("all_box_f1", 2 * 2 / (5 + 4), 2 * 2 / (3 + 4)),
        # the lake of image 1 is given no box any more
        ("absent_rejected", 1 / 2, 2 / 2),
    ):
        assert compared[name] == pytest.approx((before, after, after - before)), name
        assert look["without_refuted"]["overall"][name]["value"] == pytest.approx(after), name


@pytest.mark.parametrize("verdict", ["none", "null"])
def test_without_a_verdict_there_is_nothing_to_leave_out(tmp_path: Path, verdict: str) -> None:
    results = json.loads(json.dumps(RESULTS))
    for instance in (i for row in results for e in row["expressions"] for i in e["instances"]):
        instance["verified"] = None
        if verdict == "none":
            del instance["verified"]
    judgement = judge_results(*written(tmp_path, results))
    assert judgement.verification is None
    assert "verification" not in judgement.to_dict()


def test_the_command_shows_the_comparison(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gold, _ = written(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    spec = tmp_path / "spec.yaml"
    spec.write_text("image_grounding: {data: {name: tested, input_jsonl: input.jsonl}}\n")
    assert main(["evaluate", "-e", str(spec), "-r", str(tmp_path / "results"), f"gold={gold}"]) == 0
    shown = capsys.readouterr().out
    _, table = shown.split("If boxes that verification refuted are left out")
    row = next(text for text in table.splitlines() if "Boxes: precision, IoU 0.5" in text)
    assert [cell.strip() for cell in row.split("│")[2:5]] == ["57.1 %", "75.0 %", "+17.9"]
    assert (
        "Verification said yes or no to 6 of 7 judged boxes and refuted 3, of which 2 are wrong and 1 right."
        in table
    )

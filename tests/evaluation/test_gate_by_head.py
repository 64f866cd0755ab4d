"""The gate on recall goes by an expression's head: "cups" in gold is "A group of cups" in the results."""

import json
from pathlib import Path

import pytest

from grounding_assets.cli import main
from grounding_assets.core.evaluation.gold.gold_record import gold_expression, gold_record
from tests.corpus import PROJECT

CAPTION = "A group of cups stands here."


@pytest.mark.parametrize(
    ("elsewhere", "status"), [(False, 0), (True, 1)], ids=["boxes right", "boxes elsewhere"]
)
def test_a_pilot_is_judged_by_the_head(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: bool, status: int
) -> None:
    monkeypatch.chdir(tmp_path)
    row = {"image_path": "coffee.jpg", "caption": CAPTION}
    Path("input.jsonl").write_text(json.dumps(row) + "\n")
    Path("spec.yaml").write_text(
        "results_dir: results\nimage_grounding:\n  vlm: {backend: local}\n"
        f"  data: {{input_jsonl: input.jsonl, image_root: {PROJECT / 'demo' / 'images'}}}\n"
    )
    assert main(["generate", "-e", "spec.yaml"]) == 0
    result = json.loads(Path("results/annotations.jsonl").read_text())
    [found] = result["expressions"]
    assert found["text"] == "A group of cups" and found["instances"]
    size = (result["width"], result["height"])
    boxes = [tuple(instance["bbox"]) for instance in found["instances"]]
    if elsewhere:
        boxes = [(0, 0, 2, 2)]
    start = CAPTION.index("cups")
    gold = gold_expression(CAPTION, (start, start + 4), boxes)
    Path("gold.jsonl").write_text(json.dumps(gold_record("coffee.jpg", CAPTION, size, [gold], "made")) + "\n")
    judged = [
        "data.gold_jsonl=gold.jsonl",
        "workflow.min_recall=0.9",
        "workflow.limit=1",
        "results_dir=judged",
    ]
    assert main(["generate", "-e", "spec.yaml", *judged]) == status

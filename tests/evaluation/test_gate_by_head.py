"""The gate on recall goes by an expression's head: "cups" in gold is "A group of cups" in the results."""

import contextlib
import json
from pathlib import Path

import pytest

from grounding_assets.cli import main
from grounding_assets.core.evaluation.gold.gold_record import gold_expression, gold_record
from tests.corpus import PROJECT

CAPTION = "A group of cups stands here."


@pytest.fixture(scope="module")
def annotated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one annotated sample."""
    folder = tmp_path_factory.mktemp("annotated")
    row = {"image_path": "coffee.jpg", "caption": CAPTION}
    (folder / "input.jsonl").write_text(json.dumps(row) + "\n")
    (folder / "spec.yaml").write_text(
        "results_dir: results\nimage_grounding:\n  vlm: {backend: local}\n"
        f"  data: {{input_jsonl: input.jsonl, image_root: {PROJECT / 'demo' / 'images'}}}\n"
    )
    with contextlib.chdir(folder):
        assert main(["generate", "-e", "spec.yaml"]) == 0
    return folder


@pytest.mark.parametrize(
    ("elsewhere", "status"), [(False, 0), (True, 1)], ids=["boxes right", "boxes elsewhere"]
)
def test_a_pilot_is_judged_by_the_head(
    annotated: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: bool, status: int
) -> None:
    monkeypatch.chdir(annotated)
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
        f"results_dir=judged-{status}",
    ]
    assert main(["generate", "-e", "spec.yaml", *judged]) == status

"""`auto_label evaluate` over whole runs against simulated models of known quality."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from grounding_assets.cli import main
from grounding_assets.core.boxes.geometry import iou_xyxy
from tests.corpus import needs_corpus
from tests.doors.project import Project, endpoint_settings, make_project
from tests.endpoints.model import Behaviour
from tests.endpoints.server import SimulatedEndpoint, running
from tests.evaluation.coco24 import derived_gold

pytestmark = needs_corpus("coco24")
STEP_1_ALONE = 'image_grounding.workflow.steps=["1"]'
ALL_STEPS = 'image_grounding.workflow.steps=["0","1","2"]'
GOLD = "image_grounding.data.gold_jsonl=gold.jsonl"


def write_gold(folder: Path) -> Path:
    file = folder / "gold.jsonl"
    rows = (json.dumps(record, ensure_ascii=False) + "\n" for record in derived_gold())
    file.write_text("".join(rows), encoding="utf-8")
    return file


def grounded_on_gold(folder: Path, name: str, behaviour: Behaviour) -> Project:
    """Results of a model that was asked about gold's own expressions."""
    with running(SimulatedEndpoint("vllm", "qwen3_vl", behaviour=behaviour)) as endpoint:
        project = make_project(folder / name, endpoint_settings(endpoint))
        gold = write_gold(project.folder)
        extracted = project.results / "step_0_expression_extraction"
        extracted.mkdir(parents=True)
        shutil.copy(gold, extracted / "annotations.jsonl")
        shutil.copy(gold, project.folder / "input.jsonl")
        done = project.generate(STEP_1_ALONE, "image_grounding.vlm.measure=false", GOLD)
        assert done.returncode == 0, done.stderr
    return project


def evaluated(project: Project, *words: str) -> dict[str, Any]:
    spec, gold = str(project.spec), f"gold={project.folder / 'gold.jsonl'}"
    assert main(["evaluate", "-e", spec, "-r", str(project.results), gold, "steps=step_1", *words]) == 0
    return json.loads((project.results / "evaluation.json").read_text())


def value(evaluation: dict[str, Any], name: str) -> float:
    return evaluation["overall"][name]["value"]


def boxes_held_against_gold(project: Project) -> list[tuple[bool, bool | None]]:
    """(whether a gold box of the expression overlaps it by half, `verified`) of every box."""
    gold = {
        (row["image_path"], row["caption"], expression["text"]): [i["bbox"] for i in expression["instances"]]
        for row in derived_gold()
        for expression in row["expressions"]
    }
    return [
        (bool(right) and bool(iou_xyxy([instance["bbox"]], right).max() >= 0.5), instance["verified"])
        for row in project.lines()
        for expression in row["expressions"]
        for right in [gold[row["image_path"], row["caption"], expression["text"]]]
        for instance in expression["instances"]
    ]


def test_models_of_known_quality_are_told_apart(tmp_path, capsys):
    # boxes moved by 0.1 of their sides along both axes have an IoU of 0.81 / (2 - 0.81) = 0.681
    steady = grounded_on_gold(tmp_path, "steady", Behaviour(jitter=0.1))
    written_by_the_run = json.loads((steady.results / "evaluation.json").read_text())
    assert written_by_the_run["overall"]["r1_50"]["value"] > 0.9

    alone = evaluated(steady)
    assert alone["samples"]["coverage"] == 1
    assert value(alone, "r1_50") > 0.97 and value(alone, "r1_75") < 0.1
    assert value(alone, "mean_iou") == pytest.approx(0.681, abs=0.02)
    assert value(alone, "absent_rejected") == 1
    assert alone["overall"]["expression_f1"]["value"] is None, "step 0 is not judged"

    # 121 present expressions, 204 boxes: half as many hits or more, and less than three quarters
    careless = grounded_on_gold(tmp_path, "careless", Behaviour(drop=0.2, swap=0.2))
    capsys.readouterr()
    both = evaluated(careless, f"other={steady.results}")
    told = capsys.readouterr().out
    expected = 0.8 * 0.8
    assert value(both, "box_recall_50") == pytest.approx(expected, abs=0.13)
    assert value(both, "mean_iou") > 0.97, "what it does give is exact"
    recall = both["comparison"]["overall"]["box_recall_50"]
    assert recall["difference"] == pytest.approx(1 - expected, abs=0.13)
    assert 0 < recall["low"] < recall["difference"] < recall["high"]
    assert "steady" in told or "results" in told
    assert f"is better than {careless.results} by" in told.replace("\n", "")


def test_a_verification_is_weighed_and_shown(tmp_path):
    """With `pytest -s` it prints the tables that docs/verification.md shows."""
    flawed = Behaviour(noise=0.02, drop=0.15, swap=0.3, scores=True, wrong_verdicts=0.2, seed=5)
    with running(SimulatedEndpoint("vllm", "qwen3_vl", behaviour=flawed)) as endpoint:
        project = make_project(tmp_path / "looked", endpoint_settings(endpoint))
        shutil.copy(write_gold(project.folder), project.folder / "input.jsonl")
        done = project.generate(ALL_STEPS, "image_grounding.vlm.measure=false", GOLD)
        assert done.returncode == 0, done.stderr

    # the run has measured what it wrote, and the page shows that
    written = json.loads((project.results / "evaluation.json").read_text())
    r1 = written["overall"]["r1_50"]
    shown = f"<td>{100 * r1['value']:.1f} %</td><td>{100 * r1['low']:.1f} to {100 * r1['high']:.1f}</td>"
    assert project.auto_label("report", "-e", "spec.yaml").returncode == 0
    page = (project.results / "report.html").read_text(encoding="utf-8")
    assert f"R@1, IoU 0.5</th>{shown}" in page

    told = project.auto_label("evaluate", "-e", "spec.yaml", "gold=gold.jsonl", COLUMNS="120")
    assert told.returncode == 0, told.stderr
    print(told.stdout)
    assert json.loads((project.results / "evaluation.json").read_text()) == written
    boxes = boxes_held_against_gold(project)
    refuted = [right for right, verdict in boxes if verdict is False]
    look = written["verification"]
    assert (look["boxes"], look["refuted"], look["refuted_right"]) == (len(boxes), len(refuted), sum(refuted))
    assert look["refuted_wrong"] > look["refuted_right"] > 10
    figures = look["comparison"]["overall"]
    assert figures["box_precision_50"]["low"] > 0.1
    assert figures["box_recall_50"]["high"] < 0
    assert f"refuted {len(refuted)}, of which {len(refuted) - sum(refuted)} are wrong" in told.stdout


def test_what_is_wrong_with_the_words_is_said(tmp_path, capsys):
    project = make_project(tmp_path, "{backend: local}")
    gold = write_gold(tmp_path)
    spec = ["evaluate", "-e", str(project.spec), "-r", str(project.results)]
    for words, told in (
        ([], "gold=FILE"),
        ([f"gold={gold}"], "auto_label generate"),
        ([f"gold={tmp_path / 'none.jsonl'}"], "There is no"),
        ([f"gold={gold}", "steps=2"], "steps=2 is not known"),
        ([f"gold={gold}", f"gold={gold}"], "given twice"),
        ([f"gold={gold}", "golden=x"], "golden"),
        ([f"gold={gold}", "min_span_iou=x"], "min_span_iou=x is not a number"),
    ):
        (project.results).mkdir(exist_ok=True)
        if words == [f"gold={tmp_path / 'none.jsonl'}"]:
            shutil.copy(gold, project.results / "annotations.jsonl")
        assert main([*spec, *words]) == 2, words
        assert told in capsys.readouterr().err

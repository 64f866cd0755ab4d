"""What the tests of verification know of the truth, and of a project's results."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from grounding_assets.core.boxes.geometry import iou_xyxy
from tests.corpus import coco24_gold
from tests.doors.project import Project

STEP_1, STEP_2 = "step_1_grounding/annotations.jsonl", "step_2_verification/annotations.jsonl"
Row = Mapping[str, Any]


def gold_boxes() -> dict[tuple[str, str, str], Sequence[Sequence[float]]]:
    """By file, caption and phrase."""
    return {
        (row["file"], row["captions"][phrase["caption_index"]], phrase["text"]): phrase["boxes"]
        for row in coco24_gold()
        for phrase in row["derived_phrases"]
    }


def judged_boxes(rows: Iterable[Row]) -> list[tuple[bool, Any]]:
    """(whether a gold box of the expression overlaps it by half, `verified`) of every box."""
    gold = gold_boxes()
    found = []
    for row in rows:
        for expression in row["expressions"]:
            right = gold.get((row["image_path"], row["caption"], expression["text"]), [])
            for instance in expression["instances"]:
                overlap = iou_xyxy([instance["bbox"]], right).max() if right else 0.0
                found.append((bool(overlap >= 0.5), instance["verified"]))
    return found


def judged_expressions(rows: Iterable[Row]) -> list[tuple[bool, Any]]:
    """(whether it has a box for each gold box, `complete`) of every expression."""
    gold = gold_boxes()
    return [
        (
            len(gold.get((row["image_path"], row["caption"], expression["text"]), []))
            <= len(expression["instances"]),
            expression["complete"],
        )
        for row in rows
        for expression in row["expressions"]
    ]


def within_band(hits: int, trials: int, share: float) -> bool:
    """Whether a binomial count lies where it does in 999 of 1000 cases (normal approximation)."""
    return abs(hits - trials * share) <= 3.29 * math.sqrt(trials * share * (1 - share)) + 0.5


def without_verification(row: Row) -> dict[str, Any]:
    """A line of step 2 as step 1 wrote it."""
    kept = dict(row)
    kept["pipeline_steps"] = [name for name in row["pipeline_steps"] if not name.startswith("step2")]
    kept["provenance"] = {name: made for name, made in row["provenance"].items() if name != "step_2"}
    kept["expressions"] = [
        {name: value for name, value in expression.items() if name != "complete"}
        | {
            "instances": [
                {name: value for name, value in instance.items() if name != "verified"}
                for instance in expression["instances"]
            ]
        }
        for expression in row["expressions"]
    ]
    return kept


def verdicts(rows: Iterable[Row]) -> dict[str, Any]:
    """`verified` of every box and `complete` of every expression by id."""
    found: dict[str, Any] = {}
    for row in rows:
        for expression in row["expressions"]:
            found[expression["expression_id"]] = expression["complete"]
            found |= {instance["bbox_id"]: instance["verified"] for instance in expression["instances"]}
    return found


def questions(rows: Iterable[Row]) -> int:
    """One for each box and one for each expression."""
    return sum(1 + len(expression["instances"]) for row in rows for expression in row["expressions"])


def verified_lines(project: Project) -> list[dict[str, Any]]:
    """Those of the samples that step 2 has a result of; the others stand in the file without verdicts."""
    return [line for line in project.lines(STEP_2) if "step_2" in line["provenance"]]

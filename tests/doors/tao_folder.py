"""A results folder as TAO's `image_grounding` leaves it, written field by field (tao-data-services at 73dea4d)."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

STEPS = ("step_0_expression_extraction", "step_1_grounding")


def write_tao_results(
    results: Path, rows: Sequence[dict[str, Any]], root: Path, *, failed_0: set[int], failed_1: set[int]
) -> None:
    """Every row is in both `annotations.jsonl`; those in `failed_0` without expressions and without a checkpoint, those in
    `failed_1` without boxes and without one in step 1.
    """
    expressions, boxes = 0, 0
    written: dict[str, list[dict[str, Any]]] = {step: [] for step in STEPS}
    for number, row in enumerate(rows):
        record: dict[str, Any] = {
            **row,
            "image_path": str(root / row["image_path"]),
            "width": row.get("width", 1920),
            "height": row.get("height", 1080),
            "cleaned_caption": row["caption"],
            "expressions": [],
            "source": "image_grounding",
            "pipeline_steps": ["step0_expression_extraction"],
        }
        if number not in failed_0:
            text = " ".join(row["caption"].split()[:2])
            record["expressions"] = [
                {"expression_id": f"expr_{expressions:05d}", "text": text, "char_span": [0, len(text)],
                 "noun_chunk": text.split()[-1], "instances": []},
                # without a span or a noun chunk, which TAO allows
                {"expression_id": f"expr_{expressions + 1:05d}", "text": row["caption"].split()[-1], "instances": []},
            ]  # fmt: skip
            expressions += 2
            _checkpoint(results, STEPS[0], row, number, record)
        written[STEPS[0]].append(json.loads(json.dumps(record)))
        record["pipeline_steps"] = ["step0_expression_extraction", "step1_grounding"]
        if number not in failed_0 | failed_1:
            record["expressions"][0]["instances"] = [
                {"bbox_id": f"box_{boxes:05d}", "bbox": [1, 2, 30, 20], "bbox_score": 0.8123},
                {"bbox_id": f"box_{boxes + 1:05d}", "bbox": [5, 6, 9, 9], "bbox_score": 0.9},
            ]
            boxes += 2
            _checkpoint(results, STEPS[1], row, number, record)
        written[STEPS[1]].append(record)
    for step, records in written.items():
        _write_lines(results / step / "annotations.jsonl", records)
    _write_lines(results / "annotations.jsonl", written[STEPS[1]])


def _checkpoint(results: Path, step: str, row: dict[str, Any], number: int, record: dict[str, Any]) -> None:
    path = results / step / ".ckpt" / f"{row.get('image_id', number)}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record))


def _write_lines(path: Path, records: Sequence[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))

"""Results to judge, and marks about them as the report exports them."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from grounding_assets.core.review.judged import result_digest
from tests.exports.record_strategies import one_expression, one_record

DATA_SET = "tested"
CAPTION = "A dog, a cat and two birds on a lawn."


def judged_record(name: str = "0001", **changes: Any) -> dict[str, Any]:
    """A photo of 100 x 100 pixels with four phrases: a dog, a cat, two birds (two boxes), a lawn (none)."""
    phrases = [("A dog", [[0, 0, 10, 10]]), ("a cat", [[20, 20, 50, 50]]),
               ("two birds", [[60, 0, 70, 10], [80, 0, 90, 10]]), ("a lawn", [])]  # fmt: skip
    expressions = [
        one_expression(text, CAPTION.index(text), boxes, scores=[0.8] * len(boxes)) for text, boxes in phrases
    ]
    for number, expression in enumerate(expressions):
        expression["expression_id"] = f"{name}/e{number}"
    record = one_record(
        image_path=f"{name}.jpg", width=100, height=100, cleaned_caption=CAPTION, expressions=expressions
    )
    return copy.deepcopy(record) | {"image_id": name, "sample_id": name, "caption": CAPTION} | changes


def marks_of(
    *marks: Mapping[str, Any], by: str = "anna", at: str = "2026-11-01T10:00:00Z", report: str = DATA_SET
) -> dict[str, Any]:
    """`marks.json`."""
    return {"report": report, "exported_at": at, "reviewer": by, "marks": list(marks)}


def mark(
    record: Mapping[str, Any], verdict: str | None = None, **phrases: Mapping[str, Any]
) -> dict[str, Any]:
    """Of a sample: `e1={"verdict": "reject"}` marks its expression 1."""
    entry: dict[str, Any] = {"sample_id": record["sample_id"], "result": result_digest(record)}
    if verdict is not None:
        entry["verdict"] = verdict
    return entry | {"expressions": [{"index": int(name[1:]), **said} for name, said in phrases.items()]}


def boxes_by_text(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[list[int]]]:
    return {row["text"]: [instance["bbox"] for instance in row["instances"]] for row in rows}

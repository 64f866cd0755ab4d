"""An evaluation that lies beside annotations, written as `auto_label evaluate` writes it, with names that break out."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from grounding_assets.core.report.gold_section import GoldSection, gold_section

MARKUP = '</svg><script>x()</script>" onload="x()'
BINS = [(0.5, 8, 0.55, 0.25), (0.7, 1, 0.72, 1.0), (0.9, 1_250, 0.96, 0.8)]
"""(lower end, boxes, mean score, share right) of the bins that have boxes."""


def figure(value: float | None, low: float | None = None, high: float | None = None, of: int = 100) -> Any:
    return {"value": value, "low": low, "high": high, "of": of}


def evaluation(annotations: bytes, **changed: Any) -> dict[str, Any]:
    """What `evaluation.json` says of these annotations."""
    held = {low: (boxes, score, share) for low, boxes, score, share in BINS}
    empty = (0, None, None)
    return {
        "format": 1,
        "gold": f"/data/{MARKUP.replace('/', '')}.jsonl",
        "results": "annotations.jsonl",
        "results_sha256": sha256(annotations).hexdigest(),
        "options": {"steps": "both", "min_span_iou": 0.5, "missing": "left_out"},
        "resampling": {"resamples": 2000, "confidence": 0.95, "seed": 0},
        "samples": {"gold": 1_250, "judged": 1_234, "without_result": 16, "coverage": 0.9872},
        "overall": {
            "expression_f1": figure(0.643, 0.598, 0.69),
            "r1_50": figure(0.727, 0.574, 0.861, of=1_210),
            "box_recall_50": figure(0.495, 0.307, 0.774),
            "mean_iou": figure(0.849, 0.805, 0.896),
            "absent_rejected": figure(1.0),
            "all_box_f1": figure(None, of=0),
        },
        "slices": {
            "box size": {
                "small": {"r1_50": figure(0.25, 0.0, 0.5, of=1)},
                "medium": {"r1_50": figure(None, of=0)},
                "large": {"r1_50": figure(0.9, 0.85, 0.95, of=12_600)},
            },
            "number": {MARKUP: {"r1_50": figure(0.5, of=2)}},
        },
        "calibration_error": figure(0.108, 0.077, 0.175),
        "reliability": [
            {"low": n / 10, "high": (n + 1) / 10}
            | dict(zip(("boxes", "mean_score", "hit_share"), held.get(n / 10, empty), strict=True))
            for n in range(10)
        ],
    } | changed


def write_evaluation(folder: Path, **changed: Any) -> None:
    """Annotations and an evaluation of them; what is `changed` stands in the evaluation instead."""
    folder.mkdir(parents=True, exist_ok=True)
    annotations = folder / "annotations.jsonl"
    annotations.touch()
    row = evaluation(annotations.read_bytes(), **changed)
    (folder / "evaluation.json").write_text(json.dumps(row), encoding="utf-8")


def measured_section(folder: Path) -> GoldSection:
    write_evaluation(folder)
    section = gold_section(folder)
    assert section is not None
    return section

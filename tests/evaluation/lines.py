"""Gold and result lines for the tests of evaluation, written by hand or by a simulated model."""

from typing import Any

from grounding_assets.core.evaluation import JudgeOptions, Resampling, evaluate

CAPTION = "A red car, two dogs and a tree near a lake."
STEP_1 = JudgeOptions(steps="step_1")
# 100 x 100; shifted by d pixels along one side: IoU (100 - d) / (100 + d)
BOX = [100, 100, 200, 200]
AT_818 = [110, 100, 210, 200]  # 90 / 110
AT_600 = [125, 100, 225, 200]  # 75 / 125
AT_333 = [150, 100, 250, 200]  # 50 / 150
ELSEWHERE = [600, 600, 700, 700]


def line(
    expressions: list[dict[str, Any]], *, image_path: str = "1.jpg", caption: str = CAPTION, **fields: Any
) -> dict[str, Any]:
    return {
        "image_id": "1",
        "image_path": image_path,
        "caption": caption,
        "cleaned_caption": caption,
        "width": 1000,
        "height": 1000,
        "expressions": expressions,
    } | fields


def expression(
    text: str,
    boxes: list[list[int]],
    scores: list[float] | None = None,
    *,
    caption: str = CAPTION,
    status: str | None = None,
    start: int | None = None,
) -> dict[str, Any]:
    """An expression of the caption; scores are the model's own where given."""
    start = caption.index(text) if start is None else start
    source = "default" if scores is None else "model"
    return {
        "text": text,
        "char_span": [start, start + len(text)],
        "noun_chunk": text,
        "instances": [
            {"bbox": bbox, "score": score, "score_source": source}
            for bbox, score in zip(boxes, scores or [0.9] * len(boxes), strict=True)
        ],
        "grounding_status": status or ("boxed" if boxes else "none_seen"),
    }


def overall(gold, results, options=STEP_1, **rest):
    return {k: f.value for k, f in evaluate(gold, results, options, Resampling(100), **rest).overall.items()}

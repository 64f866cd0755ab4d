"""ODVG "VG" lines, as TAO Grounding DINO, mmdetection and Open-GroundingDino read them.

One line a sample: `file_name` and `filename` (TAO reads the one, the other two the other), `height`,
`width` and `grounding` with a caption and one region a box. Sources of what the loaders do:
mmdetection's `mmdet/datasets/odvg.py` and `transforms/text_transformers.py`, Open-GroundingDino's
`datasets/odvg.py`.
"""

from typing import Any

from grounding_assets.core.dataset.annotated import AnnotatedSample
from grounding_assets.core.exports.captions import training_caption
from grounding_assets.core.exports.writer import LinesWriter


class OdvgWriter(LinesWriter):
    """`<split>.jsonl`. Expressions without a box cannot be held; samples without one are left out."""

    def add(self, sample: AnnotatedSample, split: str) -> bool:
        caption = training_caption(sample)
        self.report.left_out["expressions without a box, which ODVG cannot hold"] += len(
            sample.expressions
        ) - len(caption.boxed)
        if not caption.boxed:
            # two loaders crash on a line without regions
            self.report.left_out["samples without a box, which ODVG loaders refuse"] += 1
            return False
        regions = [
            {"bbox": list(box.bbox), "phrase": caption.text[start:end], "tokens_positive": [[start, end]]}
            for expression, (start, end) in caption.boxed
            for box in expression.instances
        ]
        grounding = {"caption": caption.text, "regions": regions}
        fields = image_fields(sample.image_path, sample.image_size)
        self.write_line(split, {**fields, "grounding": grounding})
        self.report.took_caption(caption)
        self.report.wrote(split, sample.image_path, expressions=len(caption.boxed), boxes=len(regions))
        return True


def image_fields(image_path: str, image_size: tuple[int, int]) -> dict[str, Any]:
    """What an ODVG line of either form says of its image."""
    width, height = image_size
    return {"file_name": image_path, "filename": image_path, "height": height, "width": width}

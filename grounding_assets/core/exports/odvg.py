"""ODVG "VG" lines, as TAO Grounding DINO, mmdetection and Open-GroundingDino read them.

One line a sample: `file_name` and `filename` (TAO reads the one, the other two the other), `height`,
`width` and `grounding` with a caption and one region a box. Sources of what the loaders do:
mmdetection's `mmdet/datasets/odvg.py` and `transforms/text_transformers.py`, Open-GroundingDino's
`datasets/odvg.py`.
"""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from grounding_assets.core.dataset.annotated import AnnotatedSample
from grounding_assets.core.exports.writer import Ledger


class OdvgWriter:
    """`<split>.jsonl`. Expressions without a box cannot be held; samples without one are left out."""

    def __init__(self, folder: Path, scratch: Path, ledger: Ledger):
        self._ledger = ledger
        self._files = ExitStack()
        self._streams = {
            split: self._files.enter_context((folder / f"{split}.jsonl").open("w", encoding="ascii"))
            for split in ledger.splits
        }

    def add(self, sample: AnnotatedSample, split: str) -> bool:
        boxed = [expression for expression in sample.expressions if expression.instances]
        self._ledger.left_out["expressions without a box, which ODVG cannot hold"] += len(
            sample.expressions
        ) - len(boxed)
        if not boxed:
            # two loaders crash on a line without regions
            self._ledger.left_out["samples without a box, which ODVG loaders refuse"] += 1
            return False
        line = odvg_line(sample)
        # escaped, since the loaders open the file in whatever encoding the machine has set
        self._streams[split].write(json.dumps(line, allow_nan=False) + "\n")
        boxes = len(line["grounding"]["regions"])
        self._ledger.wrote(split, sample.image_path, expressions=len(boxed), boxes=boxes)
        return True

    def finish(self) -> None:
        """Nothing is left to write."""

    def close(self) -> None:
        self._files.close()


def odvg_line(sample: AnnotatedSample) -> dict[str, Any]:
    """A sample as one object.

    mmdetection strips the caption before it applies `tokens_positive`, so leading white space goes and
    the spans move with it.
    """
    caption = sample.cleaned_caption.lstrip()
    cut = len(sample.cleaned_caption) - len(caption)
    regions = []
    for expression in sample.expressions:
        start, end = max(0, expression.char_span[0] - cut), expression.char_span[1] - cut
        regions.extend(
            {
                "bbox": list(instance.bbox),
                "phrase": caption[start:end],
                "tokens_positive": [[start, end]],
            }
            for instance in expression.instances
        )
    return {
        "file_name": sample.image_path,
        "filename": sample.image_path,
        "height": sample.image_size[1],
        "width": sample.image_size[0],
        "grounding": {"caption": caption, "regions": regions},
    }

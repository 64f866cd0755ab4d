"""Modulated detection, as MDETR and GLIP read it: a COCO document with one image entry a caption.

Sources: MDETR's `datasets/coco.py` (`ModulatedDetection`) and `scripts/pre-training/flickr_combined.py`,
GLIP's `maskrcnn_benchmark/data/datasets/modulated_coco.py`.
"""

from contextlib import ExitStack
from pathlib import Path

from grounding_assets.core.dataset.annotated import AnnotatedSample
from grounding_assets.core.exports.coco_document import CocoDocument
from grounding_assets.core.exports.writer import Ledger

CATEGORY = {"id": 1, "name": "object", "supercategory": "object"}
"""What a box shows is said by `tokens_positive`, so that all share one category, as MDETR's do."""


class MdetrWriter:
    """`<split>.json`. Captions without a box stay: MDETR trains on them, GLIP skips them.

    `tokens_positive_eval` holds one list of spans for each expression with a box, in reading order, which
    both loaders use for evaluation.
    """

    def __init__(self, folder: Path, scratch: Path, ledger: Ledger):
        self._ledger = ledger
        self._files = ExitStack()
        self._documents: dict[str, CocoDocument] = {}
        for split in ledger.splits:
            document = CocoDocument(folder / f"{split}.json", scratch / f"{split}.annotations")
            self._files.callback(document.close)
            self._documents[split] = document

    def add(self, sample: AnnotatedSample, split: str) -> bool:
        document = self._documents[split]
        boxed = [expression for expression in sample.expressions if expression.instances]
        image_id = document.add_image(
            {
                "file_name": sample.image_path,
                "height": sample.image_size[1],
                "width": sample.image_size[0],
                "caption": sample.cleaned_caption,
                "original_img_id": sample.image_id,
                "tokens_positive_eval": [[list(expression.char_span)] for expression in boxed],
            }
        )
        boxes = 0
        for expression in boxed:
            for instance in expression.instances:
                tokens = {"tokens_positive": [list(expression.char_span)]}
                document.add_annotation(image_id, CATEGORY["id"], instance.bbox, tokens)
                boxes += 1
        self._ledger.left_out["expressions without a box, which MDETR cannot hold"] += len(
            sample.expressions
        ) - len(boxed)
        self._ledger.wrote(split, sample.image_path, expressions=len(boxed), boxes=boxes)
        return True

    def finish(self) -> None:
        for document in self._documents.values():
            document.finish([CATEGORY])

    def close(self) -> None:
        self._files.close()

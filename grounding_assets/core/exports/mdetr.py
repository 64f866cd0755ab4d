"""Modulated detection, as MDETR and GLIP read it: a COCO document with one image entry a caption.

Sources: MDETR's `datasets/coco.py` (`ModulatedDetection`), `engine.py`, `datasets/flickr_eval.py` and
`scripts/pre-training/flickr_combined.py`; GLIP's `maskrcnn_benchmark/data/datasets/modulated_coco.py`; mmdetection's
`mmdet/datasets/flickr30k.py` and `mmdet/evaluation/metrics/flickr30k_metric.py`.
"""

import json
from contextlib import ExitStack
from typing import Any

from grounding_assets.core.dataset.annotated import AnnotatedSample
from grounding_assets.core.exports.by_image import ImageGroups
from grounding_assets.core.exports.captions import training_caption
from grounding_assets.core.exports.coco_document import split_documents
from grounding_assets.core.exports.flickr30k import BLANK, without_overlaps
from grounding_assets.core.exports.image_numbers import ImageNumbers
from grounding_assets.core.exports.writer import ExportJob

CATEGORY = {"id": 1, "name": "object", "supercategory": "object"}
"""What a box shows is said by `tokens_positive`, so that all share one category, as MDETR's do."""


class MdetrWriter:
    """`<split>.json`. Captions without a box stay: MDETR trains on them, GLIP skips them.

    For evaluation: `tokens_positive_eval` has the spans of each phrase that is judged, in reading order, and a box's
    `phrase_ids` the position of its phrase among them, which mmdetection's Flickr30k metric wants. Phrases that overlap
    a judged one are trained on, not judged, and have later numbers. `original_img_id` and `sentence_id` are those of
    the `flickr30k_entities` export of the same annotations and settings, which MDETR's evaluator reads beside this.
    """

    def __init__(self, job: ExportJob):
        self._ledger = job.ledger
        self._files = ExitStack()
        self._groups = ImageGroups(job.scratch / "images.sqlite")
        self._files.callback(self._groups.close)
        self._documents = split_documents(job, self._files)
        self._numbers = ImageNumbers()

    def add(self, sample: AnnotatedSample, split: str) -> bool:
        if not sample.cleaned_caption.strip():
            self._ledger.left_out[BLANK] += 1
            return False
        caption = training_caption(sample)
        self._ledger.left_out["expressions without a box, which MDETR cannot hold"] += len(
            sample.expressions
        ) - len(caption.boxed)
        self._ledger.took_caption(caption)
        judged = {id(expression) for expression in without_overlaps(sample.expressions)}
        # sorted() keeps the reading order of either part
        phrases = [
            [list(span), id(one) in judged, [instance.bbox for instance in one.instances]]
            for one, span in sorted(caption.boxed, key=lambda pair: id(pair[0]) not in judged)
        ]
        text = json.dumps([sample.image_path, sample.image_size, caption.text, phrases])
        self._groups.add(sample.image_path, split, text)
        return True

    def finish(self) -> None:
        for split, texts in self._groups:
            number = None
            for sentence_id, text in enumerate(texts):
                image_path, size, caption, phrases = json.loads(text)
                number = self._numbers.assign(image_path) if number is None else number
                boxes = self._write_caption(
                    split,
                    {
                        "file_name": image_path,
                        "height": size[1],
                        "width": size[0],
                        "caption": caption,
                        "original_img_id": number,
                        "sentence_id": sentence_id,
                        "tokens_positive_eval": [[span] for span, is_judged, _ in phrases if is_judged],
                    },
                    phrases,
                )
                self._ledger.wrote(split, image_path, expressions=len(phrases), boxes=boxes)
        for document in self._documents.values():
            document.finish([CATEGORY])

    def _write_caption(self, split: str, image: dict[str, Any], phrases: list[Any]) -> int:
        """Returns how many boxes were written."""
        document = self._documents[split]
        image_id, written = document.add_image(image), 0
        for phrase_id, (span, _, boxes) in enumerate(phrases):
            for bbox in boxes:
                fields = {"tokens_positive": [span], "phrase_ids": phrase_id}
                document.add_annotation(image_id, CATEGORY["id"], bbox, fields)
                written += 1
        return written

    def close(self) -> None:
        self._files.close()

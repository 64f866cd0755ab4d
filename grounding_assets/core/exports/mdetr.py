"""Modulated detection, as MDETR and GLIP read it: a COCO document with one image entry a caption.

Sources: MDETR's `datasets/coco.py` (`ModulatedDetection`), `engine.py`, `datasets/flickr_eval.py` and
`scripts/pre-training/flickr_combined.py`; GLIP's `maskrcnn_benchmark/data/datasets/modulated_coco.py`; mmdetection's
`mmdet/datasets/flickr30k.py` and `mmdet/evaluation/metrics/flickr30k_metric.py`.
"""

from contextlib import closing
from typing import Any

from grounding_assets.core.dataset.annotated import AnnotatedSample
from grounding_assets.core.exports.captions import training_caption
from grounding_assets.core.exports.coco_document import CocoDocument
from grounding_assets.core.exports.flickr30k import BLANK, without_overlaps
from grounding_assets.core.exports.image_numbers import ImageNumbers
from grounding_assets.core.exports.writer import ExportJob, Writer

CATEGORY = {"id": 1, "name": "object", "supercategory": "object"}
"""What a box shows is said by `tokens_positive`, so that all share one category, as MDETR's do."""


class MdetrWriter(Writer):
    """`<split>.json`. Captions without a box stay: MDETR trains on them, GLIP skips them.

    For evaluation: `tokens_positive_eval` has the spans of each phrase that is judged, in reading order, and a box's
    `phrase_ids` the position of its phrase among them, which mmdetection's Flickr30k metric wants. Phrases that overlap
    a judged one are trained on, not judged, and have later numbers. `original_img_id` and `sentence_id` are those of
    the `flickr30k_entities` export of the same annotations and settings, which MDETR's evaluator reads beside this.
    """

    def __init__(self, job: ExportJob):
        super().__init__(job)
        self._groups = self.image_groups()
        self._documents = self.each_split(".json", lambda path: closing(CocoDocument(path, job.scratch)))
        self._numbers = ImageNumbers()

    def add(self, sample: AnnotatedSample, split: str) -> bool:
        if not sample.cleaned_caption.strip():
            self.report.left_out[BLANK] += 1
            return False
        caption = training_caption(sample)
        self.report.left_out["expressions without a box, which MDETR cannot hold"] += len(
            sample.expressions
        ) - len(caption.boxed)
        self.report.took_caption(caption)
        judged = {id(expression) for expression in without_overlaps(sample.expressions)}
        # sorted() keeps the reading order of either part
        phrases = [
            [list(span), id(one) in judged, [instance.bbox for instance in one.instances]]
            for one, span in sorted(caption.boxed, key=lambda pair: id(pair[0]) not in judged)
        ]
        self._groups.add(
            sample.image_path, split, [sample.image_path, sample.image_size, caption.text, phrases]
        )
        return True

    def finish(self) -> None:
        for split, samples in self._groups:
            number = self._numbers.assign(samples[0][0])
            for sentence_id, (image_path, size, caption, phrases) in enumerate(samples):
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
                self.report.wrote(split, image_path, expressions=len(phrases), boxes=boxes)
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

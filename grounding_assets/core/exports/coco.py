"""COCO detection: each image once, one category for each noun chunk.

Format: https://cocodataset.org/#format-data.
"""

from contextlib import ExitStack

from grounding_assets.core.dataset.annotated import AnnotatedSample
from grounding_assets.core.exports.coco_document import split_documents
from grounding_assets.core.exports.detections import Detections
from grounding_assets.core.exports.writer import ExportJob


class CocoWriter:
    """`<split>.json`. Captions, spans and scores have no place in it.

    Category ids start from `first_category_id` without gaps and are the same in every split. An object that several
    captions mention under one category is written once.
    """

    def __init__(self, job: ExportJob):
        self._ledger, self._first_id = job.ledger, job.settings.first_category_id
        self._files = ExitStack()
        self._detections = Detections(job.scratch, job.settings.merge_iou)
        self._files.callback(self._detections.close)
        self._documents = split_documents(job, self._files)

    def add(self, sample: AnnotatedSample, split: str) -> bool:
        unboxed = sum(not expression.instances for expression in sample.expressions)
        self._ledger.left_out["expressions without a box, which COCO cannot hold"] += unboxed
        self._detections.add(sample, split)
        return True

    def finish(self) -> None:
        names = self._detections.categories()
        ids = {name: number for number, name in enumerate(names, self._first_id)}
        for image in self._detections:
            document, (width, height) = self._documents[image.split], image.image_size
            image_id = document.add_image({"file_name": image.image_path, "height": height, "width": width})
            for name, bbox in image.objects:
                document.add_annotation(image_id, ids[name], bbox, {})
            self._ledger.wrote_objects(image)
        for document in self._documents.values():
            document.finish([{"id": number, "name": name} for name, number in ids.items()])

    def close(self) -> None:
        self._files.close()

"""COCO detection: each image once, one category for each noun chunk.

Format: https://cocodataset.org/#format-data.
"""

from contextlib import closing

from grounding_assets.core.dataset.annotated import AnnotatedSample
from grounding_assets.core.exports.coco_document import CocoDocument
from grounding_assets.core.exports.detections import Detections
from grounding_assets.core.exports.writer import ExportJob, Writer


class CocoWriter(Writer):
    """`<split>.json`. Captions, spans and scores have no place in it.

    Category ids start from `first_category_id` without gaps and are the same in every split. An object that several
    captions mention under one category is written once.
    """

    def __init__(self, job: ExportJob):
        super().__init__(job)
        self._detections = Detections(self.image_groups(), self.settings.merge_iou)
        self._documents = self.each_split(".json", lambda path: closing(CocoDocument(path, job.scratch)))

    def add(self, sample: AnnotatedSample, split: str) -> bool:
        unboxed = sum(not expression.instances for expression in sample.expressions)
        self.report.left_out["expressions without a box, which COCO cannot hold"] += unboxed
        self._detections.add(sample, split)
        return True

    def finish(self) -> None:
        names = self._detections.categories()
        ids = {name: number for number, name in enumerate(names, self.settings.first_category_id)}
        for image in self._detections:
            document, (width, height) = self._documents[image.split], image.image_size
            image_id = document.add_image({"file_name": image.image_path, "height": height, "width": width})
            for name, bbox in image.objects:
                document.add_annotation(image_id, ids[name], bbox, {})
            self.report.wrote_objects(image)
        for document in self._documents.values():
            document.finish([{"id": number, "name": name} for name, number in ids.items()])

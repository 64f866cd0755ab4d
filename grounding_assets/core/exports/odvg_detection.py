"""ODVG in its detection form: each image once, boxes with a label, and a map of the labels.

Sources of what the loaders do: mmdetection's `mmdet/datasets/odvg.py` with `label_map_file`, Open-GroundingDino's
`datasets/odvg.py` with `label_map_anno`.
"""

import json

from grounding_assets.core.dataset.annotated import AnnotatedSample
from grounding_assets.core.exports.detections import Detections
from grounding_assets.core.exports.odvg import image_fields
from grounding_assets.core.exports.writer import ExportJob, LinesWriter

LABEL_MAP = "label_map.json"


class OdvgDetectionWriter(LinesWriter):
    """`<split>.jsonl` and `label_map.json`, whose labels start from 0. Images without a box are left out."""

    def __init__(self, job: ExportJob):
        super().__init__(job)
        self._detections = Detections(self.image_groups(), self.settings.merge_iou)

    def add(self, sample: AnnotatedSample, split: str) -> bool:
        unboxed = sum(not expression.instances for expression in sample.expressions)
        self.report.left_out["expressions without a box, which ODVG cannot hold"] += unboxed
        if unboxed == len(sample.expressions):
            self.report.left_out["samples without a box, which ODVG loaders refuse"] += 1
            return False
        self._detections.add(sample, split)
        return True

    def finish(self) -> None:
        names = self._detections.categories()
        labels = {name: label for label, name in enumerate(names)}
        for image in self._detections:
            instances = [
                {"bbox": list(bbox), "label": labels[name], "category": name} for name, bbox in image.objects
            ]
            fields = image_fields(image.image_path, image.image_size)
            self.write_line(image.split, {**fields, "detection": {"instances": instances}})
            self.report.wrote_objects(image)
        label_map = {str(label): name for name, label in labels.items()}
        (self.job.folder / LABEL_MAP).write_text(json.dumps(label_map), encoding="ascii")

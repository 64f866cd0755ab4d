"""Boxes as COCO annotations that CVAT imports, each with its phrase as attributes, and CVAT's COCO export as marks.

One category, `phrase`, with id 1. What was sent is needed to read what comes back: a sample of which every box was
deleted leaves no trace in it, and no attribute of an image is kept.
"""

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from grounding_assets.core.dataset.annotated import AnnotatedSample
from grounding_assets.core.errors import InputError
from grounding_assets.core.review.differences import changed_boxes
from grounding_assets.core.review.judged import result_digest, sample_id_of

CATEGORY = "phrase"
ATTRIBUTES = ("sample_id", "expression", "phrase")
"""Of each annotation, and of the label in CVAT: `expression` is the phrase's position, `phrase` its text."""


def coco_document(samples: Iterable[AnnotatedSample], data_set: str) -> dict[str, Any]:
    """A COCO document; images and annotations are numbered from 1."""
    images: dict[str, dict[str, Any]] = {}
    annotations: list[dict[str, Any]] = []
    results: dict[str, Any] = {}
    for sample in samples:
        name, sample_id = posixpath.normpath(sample.image_path), sample_id_of(sample.record)
        width, height = sample.image_size
        image = images.setdefault(
            name, {"id": len(images) + 1, "file_name": name, "width": width, "height": height}
        )
        results[sample_id] = {
            "result": result_digest(sample.record),
            "boxes": [[list(i.bbox) for i in e.instances] for e in sample.expressions],
        }
        for position, expression in enumerate(sample.expressions):
            for x1, y1, x2, y2 in (instance.bbox for instance in expression.instances):
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": image["id"],
                        "category_id": 1,
                        "bbox": [x1, y1, x2 - x1, y2 - y1],
                        "area": (x2 - x1) * (y2 - y1),
                        "iscrowd": 0,
                        "attributes": dict(
                            zip(ATTRIBUTES, (sample_id, str(position), expression.text), strict=True)
                        ),
                    }
                )
    return {
        "info": {"description": f"phrases of {data_set}, for review", "data_set": data_set},
        "results": results,
        "categories": [{"id": 1, "name": CATEGORY, "supercategory": ""}],
        "images": list(images.values()),
        "annotations": annotations,
    }


def marks_of_coco(sent: Mapping[str, Any], back: Mapping[str, Any], where: str, at: str) -> dict[str, Any]:
    """The tree of `marks.json`: corrections of expressions whose boxes came back other than they were sent.

    Args:
        sent: what `coco_document` made.
        back: CVAT's export as COCO, of a task over all of the images.
        at: when it was exported, ISO 8601; COCO says no time that can be relied on.

    Raises:
        InputError: a box has no phrase, or one that was not sent.
    """
    boxes: dict[tuple[str, int], list[list[float]]] = defaultdict(list)
    for annotation in back["annotations"]:
        try:
            sample_id = str(annotation["attributes"]["sample_id"])
            position = int(annotation["attributes"]["expression"])
            known = sent["results"][sample_id]["boxes"][position]
            x, y, width, height = annotation["bbox"]
        except (KeyError, TypeError, ValueError, IndexError):
            raise InputError(
                f"Box {annotation.get('id')} of {where} has no sample_id and expression of a phrase: copy both "
                "attributes from another box of it."
            ) from None
        assert isinstance(known, list)
        boxes[sample_id, position].append([x, y, x + width, y + height])
    marks = []
    for sample_id, result in sent["results"].items():
        expressions = [
            {"index": position, "boxes": changed}
            for position, before in enumerate(result["boxes"])
            if (changed := changed_boxes(before, boxes[sample_id, position])) is not None
        ]
        if expressions:
            marks.append({"sample_id": sample_id, "result": result["result"], "expressions": expressions})
    return {"report": sent["info"]["data_set"], "exported_at": at, "reviewer": "CVAT", "marks": marks}

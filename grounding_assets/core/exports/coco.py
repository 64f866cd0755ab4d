"""COCO detection: each image once, one category for each noun chunk.

Format: https://cocodataset.org/#format-data.
"""

import json
from contextlib import ExitStack
from pathlib import Path

from grounding_assets.core.dataset.annotated import AnnotatedSample
from grounding_assets.core.exports.by_image import ImageGroups
from grounding_assets.core.exports.coco_document import CocoDocument
from grounding_assets.core.exports.writer import Ledger
from grounding_assets.core.records import Expression


class CocoWriter:
    """`<split>.json`. Captions, spans and scores have no place in it.

    Category ids start from 0 without gaps, as TAO's Grounding DINO asks for, are the same in every split
    and follow the names' order. A box that several captions give to the same category is written once.
    """

    def __init__(self, folder: Path, scratch: Path, ledger: Ledger):
        self._ledger = ledger
        self._files = ExitStack()
        self._groups = ImageGroups(scratch / "images.sqlite")
        self._files.callback(self._groups.close)
        self._categories: set[str] = set()
        self._documents: dict[str, CocoDocument] = {}
        for split in ledger.splits:
            document = CocoDocument(folder / f"{split}.json", scratch / f"{split}.annotations")
            self._files.callback(document.close)
            self._documents[split] = document

    def add(self, sample: AnnotatedSample, split: str) -> bool:
        boxes = [
            [category_name(expression), *instance.bbox]
            for expression in sample.expressions
            for instance in expression.instances
        ]
        self._categories.update(str(name) for name, *_ in boxes)
        boxed = sum(bool(expression.instances) for expression in sample.expressions)
        unboxed = len(sample.expressions) - boxed
        self._ledger.left_out["expressions without a box, which COCO cannot hold"] += unboxed
        self._groups.add(
            sample.image_path, split, json.dumps([sample.image_path, sample.image_size, boxed, boxes])
        )
        return True

    def finish(self) -> None:
        ids = {name: number for number, name in enumerate(sorted(self._categories))}
        for split, texts in self._groups:
            samples = [json.loads(text) for text in texts]
            image_path, (width, height), _, _ = samples[0]
            document = self._documents[split]
            image_id = document.add_image({"file_name": image_path, "height": height, "width": width})
            stated = [tuple(box) for _, _, _, boxes in samples for box in boxes]
            distinct = dict.fromkeys(stated)
            for name, *bbox in distinct:
                document.add_annotation(image_id, ids[name], bbox, {})
            self._ledger.left_out["boxes that another caption repeats"] += len(stated) - len(distinct)
            boxed = sum(count for _, _, count, _ in samples)
            self._ledger.wrote(
                split, image_path, expressions=boxed, boxes=len(distinct), samples=len(samples)
            )
        categories = [{"id": number, "name": name} for name, number in ids.items()]
        for document in self._documents.values():
            document.finish(categories)

    def close(self) -> None:
        self._files.close()


def category_name(expression: Expression) -> str:
    """The noun chunk (the whole text if there is none) in lower case, spaced by single blanks."""
    return " ".join((expression.noun_chunk.strip() or expression.text).lower().split())

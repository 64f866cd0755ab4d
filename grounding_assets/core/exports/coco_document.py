"""One JSON document in COCO's form, written as it comes: images first, annotations spooled beside it."""

import json
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from grounding_assets.core.records import SOURCE


class CocoDocument:
    """Gives out the ids: images from 1, annotations from 1, both without gaps.

    pycocotools takes an annotation with id 0 for no match, hence not from 0.
    """

    def __init__(self, path: Path, scratch: Path):
        self._files = ExitStack()
        self._document = self._files.enter_context(path.open("w+b"))
        self._spool = self._files.enter_context((scratch / path.name).open("w+b"))
        self._images = self._annotations = 0
        self._document.write(b'{"info": ' + _json({"description": SOURCE}) + b', "licenses": [], "images": [')

    def add_image(self, fields: dict[str, Any]) -> int:
        """Appends an image and returns its id."""
        self._images += 1
        separator = b",\n" if self._images > 1 else b"\n"
        self._document.write(separator + _json({"id": self._images, **fields}))
        return self._images

    def add_annotation(
        self, image_id: int, category_id: int, bbox: Sequence[int], fields: dict[str, Any]
    ) -> None:
        """Appends a box.

        Args:
            bbox: `xyxy` pixels; written as COCO's `xywh`, with its area.
        """
        self._annotations += 1
        x1, y1, x2, y2 = bbox
        annotation = {
            "id": self._annotations,
            "image_id": image_id,
            "category_id": category_id,
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "area": (x2 - x1) * (y2 - y1),
            "iscrowd": 0,
            **fields,
        }
        separator = b",\n" if self._annotations > 1 else b"\n"
        self._spool.write(separator + _json(annotation))

    def finish(self, categories: Sequence[dict[str, Any]]) -> None:
        self._document.write(b'], "annotations": [')
        self._spool.seek(0)
        shutil.copyfileobj(self._spool, self._document, 1 << 20)
        self._document.write(b'], "categories": ' + _json(list(categories)) + b"}\n")

    def close(self) -> None:
        self._files.close()


def _json(value: Any) -> bytes:
    """Escaped to ASCII, since loaders open the file in whatever encoding the machine has set."""
    return json.dumps(value, allow_nan=False).encode("ascii")

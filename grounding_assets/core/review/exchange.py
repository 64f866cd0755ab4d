"""Results sent to tools in which people annotate, and what comes back from them, as marks."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from grounding_assets.core.dataset.annotated import AnnotatedSample
from grounding_assets.core.errors import InputError
from grounding_assets.core.files import replacing, stopping_if_unwritable, to_json
from grounding_assets.core.review.cvat import ATTRIBUTES, CATEGORY, coco_document, marks_of_coco
from grounding_assets.core.review.label_studio import LABELING_CONFIG, marks_of_tasks, tasks

Tool = Literal["label_studio", "cvat"]
LOCAL_FILES = "/data/local-files/?d="
"""Where Label Studio serves files of its own machine."""


def send(
    tool: Tool, samples: Iterable[AnnotatedSample], results_dir: Path, data_set: str, image_prefix: str
) -> list[Path]:
    """Writes what the tool imports into `results_dir/review`; returns the files.

    Args:
        image_prefix: for Label Studio, what stands before each `image_path`.

    Raises:
        RunStopped: a file cannot be written.
    """
    folder = results_dir / "review"
    if tool == "label_studio":
        return [
            _write(folder / "label_studio.json", to_json(list(tasks(samples, data_set, image_prefix)))),
            _write(folder / "label_studio.xml", LABELING_CONFIG.encode()),
        ]
    labels = [
        {
            "name": CATEGORY,
            "type": "rectangle",
            "attributes": [
                {"name": name, "input_type": "text", "mutable": False, "default_value": "", "values": [""]}
                for name in ATTRIBUTES
            ],
        }
    ]
    return [
        _write(_sent_to_cvat(results_dir), to_json(coco_document(samples, data_set))),
        _write(folder / "cvat_labels.json", to_json(labels)),
    ]


def as_marks(tree: Any, file: Path, results_dir: Path) -> Any:
    """The tree of `marks.json` from whatever people annotated with; anything else is returned as it is.

    Raises:
        InputError: it is of one of the tools, and was not made from what was sent to it.
    """
    if isinstance(tree, list):
        return marks_of_tasks(tree, str(file))
    if isinstance(tree, Mapping) and isinstance(tree.get("annotations"), list) and "images" in tree:
        sent = _sent_to_cvat(results_dir)
        if not sent.is_file():
            raise InputError(
                f"{file} is a COCO file, and what was sent to CVAT is not at {sent} any more: without it nothing says "
                "which results were looked at."
            )
        changed = datetime.fromtimestamp(file.stat().st_mtime, UTC).isoformat()
        return marks_of_coco(json.loads(sent.read_bytes()), tree, str(file), changed)
    return tree


def _sent_to_cvat(results_dir: Path) -> Path:
    return results_dir / "review" / "cvat_coco.json"


def _write(file: Path, content: bytes) -> Path:
    with stopping_if_unwritable(file), replacing(file) as stream:
        stream.write(content)
    return file

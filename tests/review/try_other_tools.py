"""Tries what is sent to Label Studio and CVAT with their own code, and writes what people would send back.

    auto_label review -e spec.yaml to=label_studio && auto_label review -e spec.yaml to=cvat
    python3 -m venv /tmp/tools && /tmp/tools/bin/pip install label-studio-sdk datumaro
    /tmp/tools/bin/python tests/review/try_other_tools.py RESULTS_DIR/review
    auto_label review -e spec.yaml marks=RESULTS_DIR/review/from_label_studio.json
    auto_label review -e spec.yaml marks=RESULTS_DIR/review/from_cvat.json

Label Studio's SDK checks the labeling configuration, tasks and predictions, and its converter makes COCO of the
annotated tasks; datumaro, which CVAT imports and exports COCO with, reads and writes the other file. In both, the first
box is moved by ten pixels and the last is deleted, which the last two commands must take over as corrections.

Last run: 26 November 2026, with label-studio-sdk 2.1.2 and datumaro 1.13.12.
"""

import importlib
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any


def use(name: str) -> Any:
    """A module of the environment, which is no dependency of the project."""
    return importlib.import_module(name)


def main() -> None:
    folder = Path(sys.argv[1])
    try_label_studio(folder)
    try_datumaro(folder)


def try_label_studio(folder: Path) -> None:
    Converter = use("label_studio_sdk.converter").Converter
    LabelInterface = use("label_studio_sdk.label_interface").LabelInterface
    config = (folder / "label_studio.xml").read_text(encoding="utf-8")
    tasks = json.loads((folder / "label_studio.json").read_text(encoding="utf-8"))
    interface = LabelInterface(config)
    interface.validate()
    for task in tasks:
        # with predictions in it, the check of version 2.1.2 fails by a missing argument
        assert interface.validate_task({"data": task["data"]}), task["data"]
        for prediction in task["predictions"]:
            assert interface.validate_prediction(prediction), prediction
    print(f"Label Studio's SDK accepts the configuration and {len(tasks)} tasks with predictions.")
    annotated = [_annotated(number, task) for number, task in enumerate(tasks, 1)]
    regions = [region for task in annotated for region in task["annotations"][0]["result"]]
    regions[0]["value"]["x"] += 1000 / regions[0]["original_width"]
    last = next(task for task in reversed(annotated) if task["annotations"][0]["result"])
    last["annotations"][0]["result"].pop()
    exported = folder / "from_label_studio.json"
    exported.write_text(json.dumps(annotated), encoding="utf-8")
    with tempfile.TemporaryDirectory() as out:
        Converter(config, project_dir=str(folder), download_resources=False).convert_to_coco(
            str(exported), out, output_image_dir=out, is_dir=False
        )
        coco = json.loads((Path(out) / "result.json").read_text(encoding="utf-8"))
    print(f"Its converter makes COCO of it: {len(coco['annotations'])} of {len(regions) - 1} boxes.")


def _annotated(number: int, task: dict[str, Any]) -> dict[str, Any]:
    """As the project's export has a task whose prediction was accepted."""
    made = {
        "id": number,
        "completed_by": {"id": 1, "email": "tried@example.org"},
        "updated_at": "2026-11-26T03:00:00.000000Z",
        "was_cancelled": False,
        "result": task["predictions"][0]["result"],
    }
    return task | {"id": number, "annotations": [made]}


def try_datumaro(folder: Path) -> None:
    datumaro = use("datumaro")
    with tempfile.TemporaryDirectory() as work:
        source, out = Path(work) / "in", Path(work) / "out"
        (source / "annotations").mkdir(parents=True)
        # which may be empty, as CVAT's is where annotations alone are uploaded
        (source / "images").mkdir()
        shutil.copy(folder / "cvat_coco.json", source / "annotations" / "instances_default.json")
        data = datumaro.Dataset.import_from(str(source), "coco_instances")
        found = sum(len(item.annotations) for item in data)
        data.export(str(out), "coco_instances", save_media=False)
        (written,) = (out / "annotations").glob("*.json")
        back = json.loads(written.read_text(encoding="utf-8"))
    print(f"datumaro reads {len(data)} images with {found} boxes, and writes {len(back['annotations'])}.")
    back["annotations"][0]["bbox"][0] += 10
    back["annotations"].pop()
    (folder / "from_cvat.json").write_text(json.dumps(back), encoding="utf-8")


if __name__ == "__main__":
    main()

"""Measures the embedded teacher against human boxes: `python -m bench.local_teacher [--folds | single [plural]]`.

Wants the folder `coco24` (photos, captions, human boxes) under `GROUNDING_CORPUS`, by default `../shared/data`
beside the project. The optional arguments are the two thresholds of `LocalSpec`; with `--folds` they are chosen
for each photo on others, see `local_teacher_folds`.
"""

import asyncio
import contextlib
import io
import json
import os
import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from grounding_assets.core.boxes.geometry import iou_xyxy
from grounding_assets.core.records import Expression, GroundingStatus
from grounding_assets.core.spec.model_settings import LocalSpec
from resources.local_teacher.detector import CLASS_NAMES, Detector
from resources.local_teacher.phrases import read_reference
from resources.local_teacher.pixels import read_image
from resources.local_teacher.teacher import LocalTeacher
from resources.local_teacher.tiles import detect_with_tiles

PROJECT = Path(__file__).resolve().parent.parent
COCO24 = Path(os.environ.get("GROUNDING_CORPUS", PROJECT.parent / "shared" / "data")) / "coco24"
RIGHT_IOU = 0.5


@dataclass
class Figures:
    """Outcomes over all captions."""

    singular: Counter[str] = field(default_factory=Counter)
    """`right`, `wrong`, `empty`: expressions of one thing whose class has human boxes in the photo."""
    plural: Counter[str] = field(default_factory=Counter)
    """The same for expressions of several things."""
    derived: Counter[str] = field(default_factory=Counter)
    """`right`, `wrong`, `empty`, `missed`: the corpus's own phrases that have one human box, looked up by overlap."""
    absent: Counter[str] = field(default_factory=Counter)
    """`boxed`, `empty`: expressions of all captions, put to every photo without a human box of their class."""
    unknown: Counter[str] = field(default_factory=Counter)
    """`boxed`, `empty`: expressions outside the vocabulary."""

    def share(self, counter: str, outcome: str) -> float:
        """Part of a counter's cases that had this outcome, 0 to 1."""
        outcomes: Counter[str] = getattr(self, counter)
        return outcomes[outcome] / max(outcomes.total(), 1)


async def measure(settings: LocalSpec) -> Figures:
    """Annotates every caption of every photo and compares with the human boxes; each photo is looked at once."""
    teacher, figures, photos = LocalTeacher(settings), Figures(), gold_photos()
    images = [teacher.prepare(COCO24 / photo["file"]) for photo in photos]
    extractions = [
        [await teacher.extract(image, caption) for caption in photo["captions"]]
        for photo, image in zip(photos, images, strict=True)
    ]
    every = [e for of_photo in extractions for extraction in of_photo for e in extraction.expressions]
    class_of = {e: read_reference(e.text, e.noun_chunk).class_name for e in every}
    for photo, image, of_photo in zip(photos, images, extractions, strict=True):
        human = human_boxes(photo)
        own = [e for extraction in of_photo for e in extraction.expressions]
        elsewhere = [e for e in every if class_of[e] is not None and class_of[e] not in human]
        grounded = iter((await teacher.ground(image, "", [*own, *elsewhere])).expressions)
        for index, extraction in enumerate(of_photo):
            expressions = tuple(islice(grounded, len(extraction.expressions)))
            tally(figures, human, expressions)
            phrases = [phrase for phrase in photo["derived_phrases"] if phrase["caption_index"] == index]
            tally_derived(figures, phrases, photo["captions"][index], extraction.cleaned_caption, expressions)
        figures.absent.update("boxed" if e.instances else "empty" for e in grounded)
    return figures


async def timed(settings: LocalSpec) -> dict[str, list[float]]:
    """Seconds for each photo's first caption: reading the file and both steps, one caption at a time.

    By `wall` clock, and as `processor` time, which other programs on the machine do not lengthen.
    """
    teacher = LocalTeacher(settings)
    seconds: dict[str, list[float]] = {"wall": [], "processor": []}
    for photo in gold_photos():
        started, cpu_started = time.perf_counter(), time.process_time()
        image = teacher.prepare(COCO24 / photo["file"])
        extraction = await teacher.extract(image, photo["captions"][0])
        await teacher.ground(image, extraction.cleaned_caption, extraction.expressions)
        seconds["wall"].append(time.perf_counter() - started)
        seconds["processor"].append(time.process_time() - cpu_started)
    return seconds


def gold_photos() -> list[dict[str, Any]]:
    with (COCO24 / "gold.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def human_boxes(photo: dict[str, Any]) -> dict[str, np.ndarray]:
    """COCO class to the photo's human boxes, (n, 4) `xyxy` pixels."""
    classes = {instance["category"] for instance in photo["instances"]}
    return {
        name: np.array([i["box"] for i in photo["instances"] if i["category"] == name]) for name in classes
    }


def outcome(expression: Expression, human: np.ndarray) -> str:
    """`empty`, or `right` where at least half of the boxes lie on a human box (IoU 0.5 or more), else `wrong`."""
    boxes = [np.array(instance.bbox, dtype=np.float64) for instance in expression.instances]
    if not boxes:
        return "empty"
    hits = sum(iou_xyxy(box, human).max() >= RIGHT_IOU for box in boxes)
    return "right" if 2 * hits >= len(boxes) else "wrong"


def tally(figures: Figures, human: dict[str, np.ndarray], expressions: tuple[Expression, ...]) -> None:
    """Counts the expressions of one caption."""
    for expression in expressions:
        class_name, limit = read_reference(expression.text, expression.noun_chunk)
        if expression.grounding_status is GroundingStatus.OUT_OF_VOCABULARY or class_name is None:
            figures.unknown["boxed" if expression.instances else "empty"] += 1
        elif class_name in human:
            counter = figures.singular if limit == 1 else figures.plural
            counter[outcome(expression, human[class_name])] += 1


def tally_derived(
    figures: Figures,
    phrases: list[dict[str, Any]],
    caption: str,
    cleaned: str,
    expressions: tuple[Expression, ...],
) -> None:
    """Finds each phrase in the cleaned caption by the words up to its end, and scores the expression there."""
    for phrase in phrases:
        if len(phrase["boxes"]) != 1:
            continue
        tail = len(caption.rstrip()) - phrase["char_span"][1]
        last = len(cleaned) - tail - 1
        holding = [e for e in expressions if e.char_span[0] <= last < e.char_span[1]]
        result = outcome(holding[0], np.array(phrase["boxes"])) if holding else "missed"
        figures.derived[result] += 1


def average_precision(settings: LocalSpec) -> float:
    """COCO's AP of the detector on the photos, by pycocotools, over the classes that they show."""
    detector = Detector()
    photos = gold_photos()
    gold, found = [], []
    for number, photo in enumerate(photos, 1):
        for instance in photo["instances"]:
            gold.append(_row(number, CLASS_NAMES.index(instance["category"]), np.array(instance["box"])))
        image = read_image(COCO24 / photo["file"])
        seen = (
            detect_with_tiles(detector.detect, image.pixels)
            if settings.tiles
            else detector.detect(image.pixels)
        )
        for box, score, class_id in zip(seen.boxes_norm, seen.scores, seen.class_ids, strict=True):
            row = _row(number, int(class_id), box * np.array([*image.image_size, *image.image_size]))
            found.append(row | {"score": float(score)})
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {  # pyright: ignore[reportAttributeAccessIssue]
            "images": [{"id": number} for number in range(1, len(photos) + 1)],
            "annotations": [row | {"id": number} for number, row in enumerate(gold, 1)],
            "categories": [{"id": number} for number in sorted({row["category_id"] for row in gold})],
        }
        coco.createIndex()
        results = coco.loadRes(found)  # pyright: ignore[reportArgumentType]
        evaluation = COCOeval(coco, results, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0])


def _row(image_id: int, class_id: int, box: np.ndarray) -> dict[str, Any]:
    x1, y1, x2, y2 = map(float, box)
    width, height = x2 - x1, y2 - y1
    return {
        "image_id": image_id,
        "category_id": class_id,
        "bbox": [x1, y1, width, height],
        "area": width * height,
        "iscrowd": 0,
    }


def main() -> None:
    if sys.argv[1:] == ["--folds"]:
        from bench.local_teacher_folds import show_folds

        show_folds()
        return
    thresholds = dict(zip(("single_threshold", "plural_threshold"), map(float, sys.argv[1:3]), strict=False))
    for tiles in (False, True):
        show(LocalSpec(tiles=tiles, **thresholds))


def show(settings: LocalSpec) -> None:
    figures = asyncio.run(measure(settings))
    print(settings)
    print(
        f"AP        {average_precision(settings):.3f} (COCO, IoU 0.5 to 0.95), R@1 {figures.share('derived', 'right'):.3f}"
    )
    for name in ("singular", "plural", "derived", "absent", "unknown"):
        outcomes: Counter[str] = getattr(figures, name)
        shares = ", ".join(
            f"{key} {figures.share(name, key):.3f} ({n})" for key, n in sorted(outcomes.items())
        )
        print(f"{name:9} {shares} of {outcomes.total()}")
    for name, seconds in asyncio.run(timed(settings)).items():
        print(
            f"{name:9} mean {1000 * statistics.mean(seconds):.1f} ms an image, "
            f"median {1000 * statistics.median(seconds):.1f}, first (loads the model) {1000 * seconds[0]:.1f}"
        )


if __name__ == "__main__":
    main()

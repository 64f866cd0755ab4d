"""The embedded teacher's figures on photos that its thresholds were not chosen on: `python -m bench.local_teacher --folds`.

The photos are dealt into folds. For each fold the thresholds are chosen on all others, by the rule that chose the
defaults (`chosen`), and the fold's own cases are judged by them; the outcomes of all folds are added up. Captions are
those that people wrote.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.local_teacher import COCO24, RIGHT_IOU, human_boxes
from grounding_assets.core.boxes.geometry import iou_xyxy
from grounding_assets.core.records import Expression
from grounding_assets.core.spec.model_settings import LocalSpec
from resources.local_teacher.detector import SCORE_FLOOR
from resources.local_teacher.lexicon import FORMS, Number
from resources.local_teacher.phrases import read_reference
from resources.local_teacher.teacher import LocalTeacher

FOLDS = 6
ABSENT_BOXED = 0.01
"""The share of false boxes, on the classes that a photo does not show, that both ways to look are held to."""
SINGLE = np.round(np.arange(0.06, 0.5, 0.01), 2)
PLURAL = np.round(np.arange(0.2, 0.6, 0.05), 2)
"""Thresholds to choose from."""

Boxes = list[tuple[float, bool]]
"""Score and whether it lies on a human box, of each box from the lowest threshold up."""


@dataclass
class PhotoCases:
    """What there is to judge in one photo, before any threshold."""

    singular: list[Boxes] = field(default_factory=list)
    plural: list[Boxes] = field(default_factory=list)
    derived: list[Boxes] = field(default_factory=list)
    """The corpus's own phrases with one human box; a phrase that step 0 missed has no box."""
    absent: list[float] = field(default_factory=list)
    """Best score of each class that the photo does not show, 0 without any."""


async def look(tiles: bool) -> list[PhotoCases]:
    """All that the teacher finds in each photo."""
    teacher = LocalTeacher(LocalSpec(tiles=tiles, single_threshold=SCORE_FLOOR, plural_threshold=SCORE_FLOOR))
    with (COCO24 / "gold.jsonl").open(encoding="utf-8") as lines:
        return [await _look_at(teacher, json.loads(line)) for line in lines]


async def _look_at(teacher: LocalTeacher, photo: dict) -> PhotoCases:
    human, cases = human_boxes(photo), PhotoCases()
    image = teacher.prepare(COCO24 / photo["file"])
    extractions = [await teacher.extract(image, caption) for caption in photo["captions"]]
    asked = [expression for extraction in extractions for expression in extraction.expressions]
    absent = [_ask_for(noun) for name, noun in _NOUN_OF_CLASS.items() if name not in human]
    found = (await teacher.ground(image, "", [*asked, *absent])).expressions
    cases.absent = [e.instances[0].score or 0.0 if e.instances else 0.0 for e in found[len(asked) :]]
    for expression in found[: len(asked)]:
        class_name, limit = read_reference(expression.text, expression.noun_chunk)
        if class_name in human:
            group = cases.singular if limit == 1 else cases.plural
            group.append(_judged(expression, human[class_name]))
    start = 0
    for index, (caption, extraction) in enumerate(zip(photo["captions"], extractions, strict=True)):
        of_caption = found[start : start + len(extraction.expressions)]
        start += len(of_caption)
        for phrase in photo["derived_phrases"]:
            if phrase["caption_index"] == index and len(phrase["boxes"]) == 1:
                # cleaning changes what stands before: the phrase's end is counted from the caption's
                tail = len(caption.rstrip()) - phrase["char_span"][1]
                last = len(extraction.cleaned_caption) - tail - 1
                holding = [e for e in of_caption if e.char_span[0] <= last < e.char_span[1]]
                cases.derived.append(_judged(holding[0], np.array(phrase["boxes"])) if holding else [])
    return cases


_NOUN_OF_CLASS = {
    noun.class_name: form
    for form, noun in reversed(FORMS.items())
    if noun.class_name and noun.number is not Number.PLURAL
}


def _ask_for(noun: str) -> Expression:
    return Expression(text=f"a {noun}", char_span=(0, len(noun) + 2), noun_chunk=noun)


def _judged(expression: Expression, human: np.ndarray) -> Boxes:
    return [
        (instance.score or 0.0, bool(iou_xyxy(np.array(instance.bbox, float), human).max() >= RIGHT_IOU))
        for instance in expression.instances
    ]


def outcomes(cases: Iterable[Boxes], threshold: float) -> Counter[str]:
    """`right` where at least half of an expression's boxes from the threshold up are, `wrong`, `empty`."""
    counted: Counter[str] = Counter()
    for boxes in cases:
        kept = [right for score, right in boxes if score >= threshold]
        counted["empty" if not kept else "right" if 2 * sum(kept) >= len(kept) else "wrong"] += 1
    return counted


def chosen(photos: Sequence[PhotoCases]) -> tuple[float, float]:
    """The lowest threshold for one thing that keeps `ABSENT_BOXED`; for several, the most right less wrong ones."""
    absent = np.array([score for photo in photos for score in photo.absent])
    single = next(float(t) for t in SINGLE if (absent >= t).mean() <= ABSENT_BOXED)

    def gain(threshold: float) -> int:
        counted = outcomes((case for photo in photos for case in photo.plural), threshold)
        return counted["right"] - counted["wrong"]

    return single, max(map(float, PLURAL), key=lambda threshold: (gain(threshold), threshold))


def show_folds() -> None:
    """Prints both ways to look: the thresholds of all photos and of each fold, and the folds' figures."""
    for tiles in (False, True):
        photos = asyncio.run(look(tiles))
        print(f"tiles={str(tiles).lower()}: on all photos {chosen(photos)}")
        totals: dict[str, Counter[str]] = {
            name: Counter() for name in ("singular", "plural", "derived", "absent")
        }
        for number in range(FOLDS):
            held_out = photos[number::FOLDS]
            single, plural = chosen([photo for photo in photos if photo not in held_out])
            print(f"  without fold {number}: {single}, {plural}")
            for photo in held_out:
                totals["singular"] += outcomes(photo.singular, single)
                totals["plural"] += outcomes(photo.plural, plural)
                totals["derived"] += outcomes(photo.derived, single)
                boxed = sum(score >= single for score in photo.absent)
                totals["absent"] += Counter(boxed=boxed, empty=len(photo.absent) - boxed)
        for name, counted in totals.items():
            shares = ", ".join(
                f"{key} {100 * n / counted.total():.1f} %" for key, n in sorted(counted.items())
            )
            print(f"  {name:9} {shares} of {counted.total()}")

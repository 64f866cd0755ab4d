"""COCO instances and captions as gold.

COCO links no caption to a box: links are computed here, and only if they are safe. So this gold says
which boxes a phrase has, not which phrases a caption has: judge step 1 with it.
"""

import random
import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grounding_assets.core.errors import InputError
from grounding_assets.core.evaluation.gold.gold_record import gold_expression, gold_record, to_pixels
from grounding_assets.core.json_arrays import elements
from grounding_assets.core.records import Expression, PixelBox, Span

SOURCE = "coco"
_SINGULARS = {
    **dict.fromkeys(("man", "woman", "boy", "girl"), "person"),
    "bike": "bicycle",
    "motorbike": "motorcycle",
    "plane": "airplane",
    "sofa": "couch",
    "television": "tv",
    "fridge": "refrigerator",
}
"""Other names; one person is a man or a woman, but "men" need not be all persons."""
_PLURALS = {
    "people": "person",
    "bikes": "bicycle",
    "motorbikes": "motorcycle",
    "planes": "airplane",
    "sofas": "couch",
    "mice": "mouse",
    "knives": "knife",
    "sheep": "sheep",
}
_NUMBERS = {"two": 2, "both": 2, "three": 3, "four": 4, "five": 5, "six": 6}
_DETERMINER = r"(?:an?|the|two|three|four|five|six|several|some|his|her|their|its|both)\s+"
_GOES_ON = (
    r"(?=\s*(?:[^\w\s-]|$)|\s+(?:in|on|at|by|near|with|of|from|to|and|or|is|are|that|who|which|behind|beside"
    r"|under|over|next|up|down|while|as|along|through|into|sits?|stands?|\w+(?:ing|ed))\b)"
)
"""What may follow a noun. Anything else may be a noun that it only describes, as in "banana tree"."""


@dataclass(slots=True)
class _Image:
    file_name: str
    size: tuple[int, int]
    boxes: dict[int, array] = field(default_factory=dict)
    """By category: x, y, width, height of one box after another."""
    crowded: set[int] = field(default_factory=set)
    """Categories of which a crowd is outlined as a whole: how many there are is not known."""


def coco_gold(
    instances: Path, captions: Path, *, image_prefix: str = "", absent_per_image: int = 0, seed: int = 0
) -> Iterator[dict[str, Any]]:
    """A gold record for each caption in which a phrase can be linked, in the file's order.

    A phrase is a category's name (or a common other name) with its determiner. Singular, it is linked to
    the image's only instance of the category; plural, to all of at least two, or of the number that it
    states. If that fails, or a crowd is outlined, the phrase is left out.

    Args:
        instances, captions: the two annotation files of a COCO split.
        image_prefix: put before each file name, such as `val2017/`.
        absent_per_image: COCO states for its 80 categories what an image does *not* show. With n above 0,
            each image gets a further record, made-up caption and all, of n categories that it lacks.

    Raises:
        InputError: a file is not what it should be.
    """
    try:
        names = {category["id"]: category["name"] for category in elements(instances, "categories")}
        images = _read_images(instances)
        pattern, category_of = _mentions(names)
        for row in elements(captions, "annotations"):
            image = images.get(row["image_id"])
            caption = " ".join(row["caption"].split())
            expressions = _linked(caption, image, pattern, category_of) if image else []
            if image and expressions:
                yield gold_record(image_prefix + image.file_name, caption, image.size, expressions, SOURCE)
        if absent_per_image:
            yield from _absent(images, names, image_prefix, absent_per_image, seed)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{instances} or {captions} is not a COCO annotation file: {error!r}.") from None


def _read_images(instances: Path) -> dict[int, _Image]:
    images = {
        row["id"]: _Image(row["file_name"], (row["width"], row["height"]))
        for row in elements(instances, "images")
    }
    for row in elements(instances, "annotations"):
        image, category = images[row["image_id"]], row["category_id"]
        if row.get("iscrowd"):
            image.crowded.add(category)
        image.boxes.setdefault(category, array("d")).extend(row["bbox"])
    return images


def _mentions(names: Mapping[int, str]) -> tuple[re.Pattern[str], dict[str, tuple[int, bool]]]:
    """A pattern that finds phrases, and what each noun means: (category, whether plural)."""
    categories = {name: category for category, name in names.items()}
    category_of = {name: (category, False) for name, category in categories.items()}
    category_of |= {_plural(name): (category, True) for name, category in categories.items()}
    for known, plural in ((_SINGULARS, False), (_PLURALS, True)):
        category_of |= {
            noun: (categories[name], plural) for noun, name in known.items() if name in categories
        }
    nouns = "|".join(sorted(map(re.escape, category_of), key=len, reverse=True))
    return re.compile(rf"\b(?:{_DETERMINER})?({nouns})\b{_GOES_ON}", re.IGNORECASE), category_of


def _plural(name: str) -> str:
    return name + ("es" if name.endswith(("s", "ch", "sh", "x")) else "s")


def _linked(
    caption: str, image: _Image, pattern: re.Pattern[str], category_of: Mapping[str, tuple[int, bool]]
) -> list[Expression]:
    expressions = []
    for mention in pattern.finditer(caption):
        category, plural = category_of[mention[1].lower()]
        boxes = _boxes(image, category)
        first = mention[0].split()[0].lower()
        stated = 1 if first in ("a", "an") or not plural else _NUMBERS.get(first)
        right = len(boxes) == stated if stated else len(boxes) > 1
        before = caption[max(0, mention.start() - 40) : mention.start()].split()[-1:]
        if before and before[0].lower() in category_of:
            continue  # one thing named by two nouns, as in "microwave oven"
        if right and category not in image.crowded:
            expressions.append(gold_expression(caption, mention.span(), boxes, noun_chunk=mention[1]))
    return expressions


def _boxes(image: _Image, category: int) -> list[PixelBox]:
    flat = image.boxes.get(category, ())
    return [to_pixels(*flat[k : k + 4]) for k in range(0, len(flat), 4)]


def _absent(
    images: Mapping[int, _Image], names: Mapping[int, str], image_prefix: str, count: int, seed: int
) -> Iterator[dict[str, Any]]:
    for image_id, image in images.items():
        lacking = sorted(names[category] for category in names.keys() - image.boxes.keys())
        chosen = random.Random(f"{seed}/{image_id}").sample(lacking, min(count, len(lacking)))
        caption, spans = _enumeration(chosen)
        expressions = [
            gold_expression(caption, span, [], noun_chunk=name)
            for span, name in zip(spans, chosen, strict=True)
        ]
        yield gold_record(image_prefix + image.file_name, caption, image.size, expressions, SOURCE)


def _enumeration(names: Sequence[str]) -> tuple[str, list[Span]]:
    """A sentence such as "A cat, an oven." and the span of each phrase in it."""
    phrases = [f"{'an' if name[0] in 'aeiou' else 'a'} {name}" for name in names]
    sentence = ", ".join(phrases) + "."
    spans, start = [], 0
    for phrase in phrases:
        spans.append((start, start + len(phrase)))
        start += len(phrase) + 2
    return sentence[0].upper() + sentence[1:], spans

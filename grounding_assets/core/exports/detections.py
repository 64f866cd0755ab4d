"""The objects of each image, whichever captions mention them: for formats that know categories but no captions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from grounding_assets.core.boxes.geometry import DUPLICATE_IOU, iou_xyxy
from grounding_assets.core.dataset.annotated import AnnotatedSample
from grounding_assets.core.exports.by_image import ImageGroups
from grounding_assets.core.records import Expression, PixelBox

_Scored = tuple[PixelBox, float]


@dataclass(frozen=True, slots=True)
class ImageObjects:
    """One image, as all of its samples describe it."""

    split: str
    image_path: str
    image_size: tuple[int, int]
    objects: list[tuple[str, PixelBox]]
    """Category and box, each object once."""
    samples: int
    expressions: int
    """With a box."""
    stated: int
    """Boxes before those of one object were merged."""


class Detections:
    """Samples brought together by image, on disk."""

    def __init__(self, groups: ImageGroups, merge_iou: float):
        """`merge_iou`: boxes of one category that two captions give are one object from this overlap on."""
        self._groups = groups
        self._merge_iou = merge_iou
        self._categories: set[str] = set()

    def add(self, sample: AnnotatedSample, split: str) -> None:
        boxed = [
            [category_name(one), [[*instance.bbox, instance.score] for instance in one.instances]]
            for one in sample.expressions
            if one.instances
        ]
        self._categories.update(str(name) for name, _ in boxed)
        self._groups.add(sample.image_path, split, [sample.image_path, sample.image_size, boxed])

    def categories(self) -> list[str]:
        """Shorter names first, then in alphabetical order.

        Some loaders find a category by searching its name in all names one behind the other: in this order none
        is found inside an earlier one, such as "plane" in "airplane".
        """
        return sorted(self._categories, key=lambda name: (len(name), name))

    def __iter__(self) -> Iterator[ImageObjects]:
        """One image after another, in the order of their first samples."""
        for split, samples in self._groups:
            image_path, (width, height), _ = samples[0]
            boxed = [boxed for _, _, boxed in samples]
            yield ImageObjects(
                split=split,
                image_path=image_path,
                image_size=(width, height),
                objects=_merged(boxed, self._merge_iou),
                samples=len(samples),
                expressions=sum(map(len, boxed)),
                stated=sum(len(boxes) for expressions in boxed for _, boxes in expressions),
            )


def category_name(expression: Expression) -> str:
    """The noun chunk (the whole text if there is none) in lower case, spaced by single blanks.

    Full stops and question marks separate categories in a grounding model's prompt, so a name has none.
    """
    for text in (expression.noun_chunk, expression.text):
        name = " ".join(text.lower().replace(".", " ").replace("?", " ").split())
        if name:
            return name
    return " ".join(expression.text.lower().split())


def _merged(samples: Sequence[Any], merge_iou: float) -> list[tuple[str, PixelBox]]:
    """Each object of an image once.

    Boxes of one expression are different objects. Those of two expressions of one caption are the same object only if
    they are all but equal, since "a man" and "another man" can stand close together; those of two captions from
    `merge_iou` on. The best-scored box of an object stays.
    """
    found: dict[str, list[_Scored]] = {}
    for expressions in samples:
        said: dict[str, list[_Scored]] = {}
        for name, boxes in expressions:
            distinct = {(x1, y1, x2, y2): score for x1, y1, x2, y2, score in boxes}
            said[name] = _joined(said.get(name, []), list(distinct.items()), max(DUPLICATE_IOU, merge_iou))
        for name, objects in said.items():
            found[name] = _joined(found.get(name, []), objects, merge_iou)
    return [(name, bbox) for name, objects in found.items() for bbox, _ in objects]


def _joined(objects: list[_Scored], others: list[_Scored], least_iou: float) -> list[_Scored]:
    """Both lists, with pairs of one object from each made one: best overlap first, no object in two pairs."""
    if not objects or not others:
        return objects or others
    joined, left = list(objects), dict(enumerate(others))
    iou = iou_xyxy([bbox for bbox, _ in objects], [bbox for bbox, _ in others])
    for row, column in sorted(zip(*(iou >= least_iou).nonzero(), strict=True), key=lambda at: -iou[at]):
        if column in left and joined[row] is objects[row]:
            joined[row] = max((left.pop(column), (objects[row][0], objects[row][1])), key=lambda one: one[1])
    return [*joined, *left.values()]

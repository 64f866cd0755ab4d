"""Which boxes, expressions and samples an export leaves out."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from grounding_assets.core.dataset.annotated import AnnotatedSample
from grounding_assets.core.errors import SpecError
from grounding_assets.core.records import Instance


@dataclass(frozen=True, slots=True)
class ExportFilters:
    """By default nothing is left out."""

    min_score: float = 0.0
    """Boxes with a lower score go. Boxes that the model gave no score carry 0.9."""
    drop_unboxed: bool = False
    """Expressions without a box go, and samples that have no other."""
    max_box_share: float | None = None
    """Scene-sized boxes, which cover more than this share of the image's area (0.0 to 1.0), go."""

    def __post_init__(self) -> None:
        for name in ("min_score", "max_box_share"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise SpecError(f"{name} is {value}: give a number from 0 to 1.")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def apply(self, sample: AnnotatedSample, left_out: Counter[str]) -> AnnotatedSample | None:
        """What remains of a sample, or None; counts what goes by kind.

        An expression that loses its last box to a filter goes with it: left in the export without a box,
        it would claim that the image does not show it. So does a sample that loses its last expression.
        """
        kept: list[tuple[int, list[int]]] = []
        for position, expression in enumerate(sample.expressions):
            boxes = [
                i
                for i, instance in enumerate(expression.instances)
                if self._keeps(instance, sample.image_size, left_out)
            ]
            if expression.instances and not boxes:
                left_out["expressions whose boxes were all filtered"] += 1
            elif not expression.instances and self.drop_unboxed:
                left_out["expressions without a box"] += 1
            else:
                kept.append((position, boxes))
        if not kept and (sample.expressions or self.drop_unboxed):
            left_out["samples without an expression left"] += 1
            return None
        return sample.keeping(kept)

    def _keeps(self, instance: Instance, image_size: tuple[int, int], left_out: Counter[str]) -> bool:
        x1, y1, x2, y2 = instance.bbox
        share = (x2 - x1) * (y2 - y1) / (image_size[0] * image_size[1])
        if instance.score < self.min_score:
            left_out["boxes below min_score"] += 1
            return False
        if self.max_box_share is not None and share > self.max_box_share:
            left_out["scene-sized boxes"] += 1
            return False
        return True

"""Which boxes, expressions and samples an export leaves out."""

from collections import Counter

from grounding_assets.core.dataset.annotated import AnnotatedSample
from grounding_assets.core.records import Instance
from grounding_assets.core.spec.export_settings import ExportSpec
from grounding_assets.core.steps import Step


def filtered(sample: AnnotatedSample, settings: ExportSpec, left_out: Counter[str]) -> AnnotatedSample | None:
    """What remains of a sample, or None; counts what goes by kind.

    An expression that loses its last box to a filter goes with it: left in the export without a box,
    it would claim that the image does not show it. So does a sample that loses its last expression.
    What a reviewer vouches for is not measured by scores and verdicts of models.
    """
    kept: list[tuple[int, list[int]]] = []
    for position, expression in enumerate(sample.expressions):
        vouched = position in sample.vouched
        if settings.only_complete and expression.complete is not True and not vouched:
            left_out["expressions that verification did not find complete"] += 1
            continue
        faults = [_fault(box, sample.image_size, settings, vouched=vouched) for box in expression.instances]
        left_out.update(fault for fault in faults if fault)
        boxes = [i for i, fault in enumerate(faults) if not fault]
        if expression.instances and not boxes:
            left_out["expressions whose boxes were all filtered"] += 1
        elif not expression.instances and settings.drop_unboxed:
            left_out["expressions without a box"] += 1
        else:
            kept.append((position, boxes))
    if not kept and (sample.expressions or settings.drop_unboxed):
        left_out["samples without an expression left"] += 1
        return None
    return sample.keeping(kept)


def is_verified(sample: AnnotatedSample) -> bool:
    """Whether step 2 has looked at it."""
    return Step.VERIFICATION.record_name in (sample.record.get("pipeline_steps") or ()) or any(
        expression.complete is not None or any(box.verified is not None for box in expression.instances)
        for expression in sample.expressions
    )


def _fault(
    instance: Instance, image_size: tuple[int, int], settings: ExportSpec, *, vouched: bool
) -> str | None:
    """The kind of box that is left out, if it is of one."""
    x1, y1, x2, y2 = instance.bbox
    if settings.drop_refuted and instance.verified is False and not vouched:
        return "boxes that verification refuted"
    if instance.score < settings.min_score and not vouched:
        return "boxes below min_score"
    if (x2 - x1) * (y2 - y1) / (image_size[0] * image_size[1]) > settings.max_box_share:
        return "scene-sized boxes"
    return None

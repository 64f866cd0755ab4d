"""A gold record: the output format with human boxes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from grounding_assets.core.dataset.sample_ids import pair_key
from grounding_assets.core.records import Expression, GroundingStatus, Instance, PixelBox, Span


def gold_record(
    image_path: str, caption: str, image_size: tuple[int, int], expressions: Sequence[Expression], source: str
) -> dict[str, Any]:
    """One line of gold.

    Args:
        expressions: boxes may reach over the image's edge or be empty; such boxes are cut or dropped, and
            an expression that loses its last one so is marked as not judged rather than absent.
        source: name of the data set.
    """
    image_id = image_path.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    sample_id = f"{image_id}~{pair_key(image_path, caption)[:8]}"
    rows = [
        _inside(expression, image_size).to_record(sample_id, index)
        for index, expression in enumerate(expressions)
    ]
    return {
        "image_id": image_id,
        "image_path": image_path,
        "caption": caption,
        "width": image_size[0],
        "height": image_size[1],
        "cleaned_caption": caption,
        "expressions": rows,
        "source": source,
    }


def gold_expression(
    caption: str,
    span: Span,
    boxes: Sequence[PixelBox],
    *,
    status: GroundingStatus = GroundingStatus.NONE_SEEN,
    noun_chunk: str = "",
) -> Expression:
    """An expression with human boxes, each of score 1.

    Args:
        status: what it means that there is no box, if there is none.
    """
    text = caption[span[0] : span[1]]
    return Expression(
        text=text,
        char_span=span,
        noun_chunk=noun_chunk or text,
        instances=tuple(Instance(box, 1.0, "default") for box in boxes),
        grounding_status=GroundingStatus.BOXED if boxes else status,
    )


def to_pixels(x: float, y: float, width: float, height: float) -> PixelBox:
    """COCO's `xywh`, in fractions of pixels, as `xyxy` edges, each rounded to the nearest pixel."""
    return round(x), round(y), round(x + width), round(y + height)


def _inside(expression: Expression, image_size: tuple[int, int]) -> Expression:
    width, height = image_size
    cut = [
        (max(0, x1), max(0, y1), min(width, x2), min(height, y2))
        for x1, y1, x2, y2 in (instance.bbox for instance in expression.instances)
    ]
    kept = tuple(Instance(box, 1.0, "default") for box in cut if box[0] < box[2] and box[1] < box[3])
    lost = bool(cut) and not kept
    status = GroundingStatus.NOT_MENTIONED if lost else expression.grounding_status
    return replace(expression, instances=kept, grounding_status=status)

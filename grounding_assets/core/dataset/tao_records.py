"""Records as TAO's `image_grounding` writes them, in our form; the places where it writes them.

TAO counts ids per run, calls a score `bbox_score`, may leave out `char_span` and `noun_chunk`, and gives 1920 x 1080
as the size of an image that the input gives none for. Source: tao-data-services at 73dea4d.
"""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from grounding_assets.core.records import DEFAULT_SCORE
from grounding_assets.core.spans.alignment import Phrase, locate_phrases


def is_tao_record(tree: Any) -> bool:
    """Whether it is one of TAO's: a whole record (a checkpoint of ours wraps one), without provenance or ids of ours."""
    return (
        isinstance(tree, dict)
        and isinstance(tree.get("expressions"), list)
        and isinstance(tree.get("image_path"), str)
        and not {"format", "provenance", "sample_id"} & tree.keys()
    )


def lacks_our_form(record: Mapping[str, Any]) -> bool:
    """Whether a record of TAO's has to be brought into our form; one that claims to be in it is taken at its word."""
    rows = [row for row in record["expressions"] if isinstance(row, dict)]
    instances = [i for row in rows for i in row.get("instances") or () if isinstance(i, dict)]
    return (
        not {"image_id", "cleaned_caption"} <= record.keys()
        or any(not {"char_span", "noun_chunk"} <= row.keys() for row in rows)
        or any("bbox_score" in instance for instance in instances)
    )


def in_our_form(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record whose expressions stand in its caption and whose boxes lie in its image; what else it holds stays.

    Raises KeyError, TypeError, ValueError or AttributeError if it is no record.
    """
    rows, _ = placed_rows(record)
    image_id = record.get("image_id")
    own_id = PurePath(record["image_path"]).stem if image_id is None else image_id
    return {**record, "image_id": own_id, "cleaned_caption": cleaned_caption(record), "expressions": rows}


def cleaned_caption(record: Mapping[str, Any]) -> str:
    return str(record.get("cleaned_caption") or record.get("caption") or "")


def placed_rows(record: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """The expressions in reading order with `char_span`, `noun_chunk`, `score` and `score_source`, and the texts of those
    that do not stand in the caption. Boxes are cut at the image's edges.
    """
    cleaned, size = cleaned_caption(record), (record.get("width"), record.get("height"))
    phrases = [
        Phrase(str(row["text"]), row.get("noun_chunk"), claimed_start(row)) for row in record["expressions"]
    ]
    placed, dropped = [], []
    for row, phrase, place in zip(
        record["expressions"], phrases, locate_phrases(cleaned, phrases), strict=True
    ):
        if place.char_span is None or place.status == "dropped":
            dropped.append(phrase.text)
            continue
        text = cleaned[slice(*place.char_span)]
        boxes = [_scored(instance, size) for instance in row.get("instances") or ()]
        placed.append(
            {
                **row,
                "text": text,
                "char_span": list(place.char_span),
                "span_status": place.status,
                "noun_chunk": row.get("noun_chunk") or text,
                "instances": [box for box in boxes if box is not None],
            }
        )
    return sorted(placed, key=lambda row: row["char_span"]), dropped


def claimed_start(row: Mapping[str, Any]) -> int | None:
    """Where an expression says that it begins in its caption, right or not."""
    span = row.get("char_span")
    return span[0] if isinstance(span, list) and span and isinstance(span[0], int) else None


def _scored(instance: Mapping[str, Any], size: tuple[Any, Any]) -> dict[str, Any] | None:
    """None if nothing of the box lies in the image."""
    x1, y1, x2, y2 = (int(edge) for edge in instance["bbox"])
    width, height = (side if isinstance(side, int) else 1 << 31 for side in size)
    box = [max(x1, 0), max(y1, 0), min(x2, width), min(y2, height)]
    if box[0] >= box[2] or box[1] >= box[3]:
        return None
    if "bbox_score" not in instance:
        return {"score_source": "model", **instance, "bbox": box}
    score = min(max(float(instance["bbox_score"]), 0.0), 1.0)
    # the figure that TAO writes if the model gave none
    source = "default" if score == DEFAULT_SCORE else "model"
    kept = {name: value for name, value in instance.items() if name != "bbox_score"}
    return {**kept, "bbox": box, "score": score, "score_source": source}

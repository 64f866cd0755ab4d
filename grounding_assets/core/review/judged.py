"""What a reviewer judges of a result, and the digest that ties a mark to it."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from math import isfinite
from typing import Any

from grounding_assets.core.dataset.annotated import is_grounded


def sample_id_of(record: Mapping[str, Any]) -> str:
    """The sample's id: from its expressions' ids, else its own `sample_id`, else its `image_id`."""
    for expression in record.get("expressions", ()):
        sample_id, _, position = str(expression.get("expression_id", "")).rpartition("/")
        if sample_id and position:
            return sample_id
    return str(record.get("sample_id", record.get("image_id", "")))


def judged_caption(record: Mapping[str, Any]) -> str:
    """The text that the spans are of."""
    return record.get("cleaned_caption", record["caption"])


def judged_expressions(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The expressions as a reviewer sees them; a box is `[x1, y1, x2, y2, score, score_source]`.

    Verdicts of step 2 are not among it: verification leaves a reviewer's mark in force.
    """
    grounded = is_grounded(record)
    return [_expression(expression, grounded=grounded) for expression in record["expressions"]]


def result_digest(record: Mapping[str, Any]) -> str:
    """12 hexadecimal digits that differ where caption, expressions, boxes or scores do."""
    return digest_of([judged_caption(record), judged_expressions(record)])


def digest_of(value: Any) -> str:
    """12 hexadecimal digits of anything that JSON can hold."""
    return blake2b(json.dumps(value).encode(), digest_size=6).hexdigest()


def phrase_keys(spans: Iterable[Sequence[int]]) -> list[tuple[int, int, int]]:
    """What makes a phrase of one caption: its span, and its number among those of the same span."""
    seen: Counter[tuple[int, int]] = Counter()
    keys = []
    for start, end in spans:
        keys.append((start, end, seen[start, end]))
        seen[start, end] += 1
    return keys


def _expression(expression: Mapping[str, Any], *, grounded: bool) -> dict[str, Any]:
    start, end = expression["char_span"]
    return {
        "text": str(expression["text"]),
        "span": [int(start), int(end)],
        "chunk": expression.get("noun_chunk"),
        "status": expression.get("grounding_status") if grounded else "not_grounded",
        "repaired": expression.get("span_status") == "repaired",
        "boxes": [_box(instance) for instance in expression["instances"]],
    }


def _box(instance: Mapping[str, Any]) -> list[Any]:
    x1, y1, x2, y2 = (float(edge) for edge in instance["bbox"])
    if not all(map(isfinite, (x1, y1, x2, y2))):
        raise ValueError(f"box {instance['bbox']} is not finite")
    return [x1, y1, x2, y2, instance.get("score"), instance.get("score_source")]

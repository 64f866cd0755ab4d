"""One output line as one row of the page: what the browser needs to draw, filter and judge a sample.

Rows carry untrusted text unescaped; the page escapes it. No images, no HTML.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from math import isfinite
from typing import Any

from grounding_assets.core.errors import InputError
from grounding_assets.core.report.doubt import FAILED, WORTH_SAYING, Signal, doubt, is_grounded, signals

Row = dict[str, Any]
"""See `row_of_record`; JSON-serialisable."""


def sample_id_of(record: Mapping[str, Any]) -> str:
    """The sample's id: from its expressions' ids, else its own `sample_id`, else its `image_id`.

    A record carries its sample id only within the expressions' ids, and may have no expression.
    """
    for expression in record.get("expressions", ()):
        sample_id, _, position = str(expression.get("expression_id", "")).rpartition("/")
        if sample_id and position:
            return sample_id
    return str(record.get("sample_id", record.get("image_id", "")))


@contextmanager
def named_line(line: Mapping[str, Any]) -> Iterator[None]:
    """Raises `InputError`, naming the sample, if the line turns out to be malformed."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        sample_id = line.get("sample_id") or sample_id_of(line)
        raise InputError(
            f"The line of sample {sample_id!r} cannot be shown ({type(error).__name__}: {error}). "
            "Write its rollup again, or correct the line."
        ) from error


def row_of_record(record: Mapping[str, Any]) -> Row:
    """A line of `annotations.jsonl`, with doubt and filters computed.

    `size` is (width, height) in pixels or None; a box is `[x1, y1, x2, y2, score, score_source]`;
    `span` is `[start, end)` in code points of `caption`.
    """
    caption = record.get("cleaned_caption", record["caption"])
    expressions = [_expression(e, grounded=is_grounded(record)) for e in record["expressions"]]
    return _row(sample_id_of(record), record, caption, signals(record)) | {
        "given": record["caption"] if record["caption"] != caption else None,
        "expressions": expressions,
        "provenance": record.get("provenance", {}),
        "result": _fingerprint([caption, expressions]),
    }


def row_of_failure(failure: Mapping[str, Any]) -> Row:
    """A line of `failures.jsonl`, in the same form, with `failure` filled in and no expressions."""
    told = {key: failure.get(key) for key in ("step", "reason", "message", "attempts")}
    row = _row(str(failure["sample_id"]), failure, failure.get("caption", ""), [FAILED])
    return row | {
        "given": None,
        "expressions": [],
        "provenance": {},
        "failure": told,
        "result": _fingerprint(told),
    }


def _row(sample_id: str, line: Mapping[str, Any], caption: str, found: list[Signal]) -> Row:
    width, height = line.get("width"), line.get("height")
    return {
        "id": sample_id,
        "path": str(line.get("image_path", "")),
        "size": [width, height] if width and height else None,
        "caption": caption,
        "failure": None,
        "doubt": round(doubt(found), 4),
        "why": [signal.text for signal in found if signal.weight >= WORTH_SAYING],
        "filters": sorted({signal.filter for signal in found if signal.filter}),
    }


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


def _fingerprint(result: Any) -> str:
    """Tells a judged result from a later one of the same sample, so that old marks do not carry over."""
    return blake2b(json.dumps(result).encode(), digest_size=6).hexdigest()

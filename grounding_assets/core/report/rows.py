"""One output line as one row of the page: what the browser needs to draw, filter and judge a sample.

Rows carry untrusted text unescaped; the page escapes it. No images, no HTML.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from grounding_assets.core.errors import InputError
from grounding_assets.core.report.doubt import FAILED, WORTH_SAYING, Signal, doubt, signals
from grounding_assets.core.review.judged import (
    digest_of,
    judged_caption,
    judged_expressions,
    sample_id_of,
)

Row = dict[str, Any]
"""See `row_of_record`; JSON-serialisable."""


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


def row_of_record(record: Mapping[str, Any], review: Mapping[str, Any] | None = None) -> Row:
    """A line of `annotations.jsonl`, with doubt and filters computed.

    `size` is (width, height) in pixels or None; a box is `[x1, y1, x2, y2, score, score_source]`;
    `span` is `[start, end)` in code points of `caption`. `review`: marks that were taken over, see `shown_marks`.
    """
    caption = judged_caption(record)
    expressions = judged_expressions(record)
    return _row(sample_id_of(record), record, caption, signals(record)) | {
        "given": record["caption"] if record["caption"] != caption else None,
        "expressions": expressions,
        "provenance": record.get("provenance", {}),
        "result": digest_of([caption, expressions]),
        "review": review,
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
        "result": digest_of(told),
        "review": None,
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

"""Marks that were taken over, as the report shows them on a sample again."""

from collections.abc import Mapping
from typing import Any

from grounding_assets.core.review.judged import judged_caption, phrase_keys, result_digest, sample_id_of
from grounding_assets.core.review.reviews import Reviews, is_same_image
from grounding_assets.core.review.said import JudgedPhrase


def shown_marks(reviews: Reviews, record: Mapping[str, Any]) -> dict[str, Any] | None:
    """`{"verdict", "phrases": {position: {"verdict", "boxes"}}}` of what still holds; None if nothing was said.

    `boxes` are those that a reviewer vouches for, if the record has others; None: the record's own.
    """
    judged = reviews.of(sample_id_of(record), judged_caption(record)) if len(reviews) else None
    if judged is None or not is_same_image(judged, record):
        return None
    known, rows = judged.by_key(), record["expressions"]
    phrases = {}
    for position, key in enumerate(phrase_keys(row["char_span"] for row in rows)):
        if (phrase := known.get(key)) is not None:
            mark = _mark(phrase, [tuple(instance["bbox"]) for instance in rows[position]["instances"]])
            if mark is not None:
                phrases[position] = mark
    return {
        "verdict": judged.verdict if judged.result == result_digest(record) else None,
        "phrases": phrases,
    }


def _mark(phrase: JudgedPhrase, boxes: list[Any]) -> dict[str, Any] | None:
    word = phrase.word
    if word is None or word.says == "unmarked" or (phrase.is_rejected and phrase.boxes != boxes):
        return None
    held = phrase.boxes if word.boxes is None else list(word.boxes)
    return {"verdict": word.verdict, "boxes": None if held == boxes else [list(box) for box in held]}

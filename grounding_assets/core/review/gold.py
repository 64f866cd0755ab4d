"""What reviewers said as gold: boxes that they found right, or made so."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from grounding_assets.core.errors import InputError
from grounding_assets.core.files import read_lines, write_lines
from grounding_assets.core.records import SOURCE
from grounding_assets.core.review.judged import sample_id_of
from grounding_assets.core.review.reviews import Reviews, is_same_image, vouched_expression
from grounding_assets.core.review.said import JudgedSample


@dataclass(frozen=True, slots=True)
class ReviewedGold:
    file: Path
    samples: int
    without_box: int
    """Expressions that are wrong, and of which nobody drew what is right: they are no gold."""
    other_image: int
    """Judged samples whose image was replaced since: they are no gold."""


def write_reviewed_gold(results_dir: Path) -> ReviewedGold:
    """Writes `reviewed_gold.jsonl`: records with the expressions that reviewers vouch for, and no others.

    Raises:
        InputError: reviewers vouch for nothing yet.
    """
    latest = {judged.sample_id: judged for judged in Reviews.load(results_dir)}
    replaced = _of_another_image(latest, read_lines(results_dir / "annotations.jsonl"))
    current = [judged for name, judged in latest.items() if name not in replaced]
    file = results_dir / "reviewed_gold.jsonl"
    if not any(judged.vouches_for(phrase) for judged in current for phrase in judged.phrases):
        raise InputError(
            f"Nothing in {results_dir} is accepted or corrected, of the images as they are now: mark results in report.html, then run "
            "`auto_label review marks=FILE`."
        )
    samples = write_lines(file, _records(current))
    rejected = sum(phrase.is_rejected for judged in current for phrase in judged.phrases)
    return ReviewedGold(file, samples, rejected, len(replaced))


def _of_another_image(judged: Mapping[str, JudgedSample], records: Iterable[Mapping[str, Any]]) -> set[str]:
    return {
        name
        for record in records
        if (name := sample_id_of(record)) in judged and not is_same_image(judged[name], record)
    }


def _records(judged_samples: Iterable[JudgedSample]) -> Iterator[dict[str, Any]]:
    for judged in judged_samples:
        rows = _rows(judged)
        if rows:
            yield {
                "image_id": judged.sample_id,
                "sample_id": judged.sample_id,
                "image_path": judged.image_path,
                "caption": judged.caption,
                "width": judged.image_size[0],
                "height": judged.image_size[1],
                "cleaned_caption": judged.cleaned_caption,
                "expressions": rows,
                "source": f"{SOURCE}, reviewed",
            }


def _rows(judged: JudgedSample) -> list[dict[str, Any]]:
    vouched = [phrase for phrase in judged.phrases if judged.vouches_for(phrase)]
    return [
        replace(vouched_expression(phrase), shows_verification=False).to_record(judged.sample_id, number)
        for number, phrase in enumerate(vouched)
    ]

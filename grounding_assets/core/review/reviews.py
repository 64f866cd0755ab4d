"""The reviewers' marks of a results folder: `reviews.jsonl`, and what they make of a sample.

A rejection holds for the very result that was judged. Boxes that a reviewer found right, or corrected, hold for the
phrase: whatever a model answers later, as long as caption, span and image are the same.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from grounding_assets.core.dataset.annotated import AnnotatedSample
from grounding_assets.core.errors import InputError
from grounding_assets.core.files import read_lines, write_lines
from grounding_assets.core.records import Expression, GroundingStatus, Instance
from grounding_assets.core.review.judged import phrase_keys, result_digest, sample_id_of
from grounding_assets.core.review.said import JudgedPhrase, JudgedSample
from grounding_assets.core.shards.manifest import data_set_folder
from grounding_assets.core.store.checkpoint import expression_from_record

REVIEWER_SCORE = 1.0
"""Of a box that a reviewer drew; `score_source` tells it from a model's."""


class Reviews:
    """All that reviewers said of one results folder, by sample and caption."""

    def __init__(self, judged: Iterable[JudgedSample] = ()):
        self._judged = {(one.sample_id, one.cleaned_caption): one for one in judged}

    @classmethod
    def load(cls, results_dir: Path) -> "Reviews":
        """Those that were taken over so far; none if there is no file.

        Raises:
            InputError: a line of the file is damaged.
        """
        file = reviews_file(results_dir)
        return cls(_read(file)) if file.is_file() else cls()

    def save(self, results_dir: Path) -> None:
        """Replaces `reviews.jsonl`.

        Raises:
            RunStopped: it cannot be written.
        """
        write_lines(reviews_file(results_dir), (one.model_dump(mode="json") for one in self))

    def __iter__(self) -> Iterator[JudgedSample]:
        return iter(self._judged.values())

    def __len__(self) -> int:
        return len(self._judged)

    def of(self, sample_id: str, cleaned_caption: str) -> JudgedSample | None:
        return self._judged.get((sample_id, cleaned_caption))

    def put(self, judged: JudgedSample) -> None:
        """Keeps what was said as the latest, in the place of one of the same sample and caption."""
        self._judged.pop((judged.sample_id, judged.cleaned_caption), None)
        self._judged[judged.sample_id, judged.cleaned_caption] = judged

    def counts(self) -> dict[str, int]:
        """Marks by what they say."""
        counts = Counter(f"samples {one.verdict}ed" for one in self if one.verdict)
        words = [phrase.word for one in self for phrase in one.phrases if phrase.word]
        counts.update(f"expressions {word.verdict}ed" for word in words if word.verdict)
        counts.update("expressions corrected" for word in words if word.boxes is not None)
        return dict(sorted(counts.items()))

    def apply(
        self, sample: AnnotatedSample, left_out: Counter[str], reviewed: Counter[str] | None = None
    ) -> AnnotatedSample | None:
        """The sample as the reviewers want it, or None; counts what goes, and in `reviewed` what they confirmed."""
        judged = self.of(sample_id_of(sample.record), sample.cleaned_caption) if self._judged else None
        if judged is None or not is_same_image(judged, sample.record):
            return sample
        confirmed = Counter[str]() if reviewed is None else reviewed
        is_current = judged.result == result_digest(sample.record)
        if is_current and judged.verdict == "reject":
            left_out["samples that a reviewer rejected"] += 1
            return None
        confirmed["samples accepted by a reviewer"] += is_current and judged.verdict == "accept"
        phrases, kept, vouched = judged.by_key(), [], set()
        for position, key in enumerate(phrase_keys(e.char_span for e in sample.expressions)):
            phrase, expression = phrases.get(key), sample.expressions[position]
            if phrase is not None and phrase.is_rejected_in(expression):
                left_out["expressions that a reviewer rejected"] += 1
                continue
            if phrase is not None and not phrase.is_rejected and judged.vouches_for(phrase):
                confirmed[_outcome(phrase)] += 1
                vouched.add(len(kept))
                kept.append((position, vouched_expression(phrase)))
            else:
                kept.append((position, None))
        if sample.expressions and not kept:
            left_out["samples without an expression left"] += 1
            return None
        return replace(_with_expressions(sample, kept), vouched=frozenset(vouched))


def reviews_file(results_dir: Path) -> Path:
    """One for a data set and all its shards: whoever marks a sample in one of them is heard in the whole."""
    return data_set_folder(results_dir) / "reviews.jsonl"


def is_same_image(judged: JudgedSample, record: Mapping[str, Any]) -> bool:
    """Whether the record is about the picture that was judged."""
    digest = image_sha256(record)
    same_file = not digest or not judged.image_sha256 or digest == judged.image_sha256
    return same_file and judged.image_size == (record.get("width"), record.get("height"))


def image_sha256(record: Mapping[str, Any]) -> str:
    """Hex digest of the image's file, as the last step that says so read it; empty if none does."""
    steps = record.get("provenance")
    made = (
        [step for step in steps.values() if isinstance(step, Mapping)] if isinstance(steps, Mapping) else []
    )
    return next((str(step["image_sha256"]) for step in reversed(made) if step.get("image_sha256")), "")


def vouched_expression(phrase: JudgedPhrase) -> Expression:
    """The expression as a reviewer vouches for it: with the boxes that were judged, or those of the correction.

    In a correction, a box that was left as it was keeps its score.
    """
    judged = expression_from_record(phrase.row)
    held = judged.instances
    if phrase.word is not None and phrase.word.boxes is not None:
        by_box = {instance.bbox: instance for instance in held}
        held = tuple(
            by_box.get(box) or Instance(box, REVIEWER_SCORE, "reviewer") for box in phrase.word.boxes
        )
    status = GroundingStatus.BOXED if held else GroundingStatus.NONE_SEEN
    return replace(judged, instances=held, grounding_status=status)


def _outcome(phrase: JudgedPhrase) -> str:
    corrected = phrase.word is not None and phrase.word.boxes is not None
    return f"expressions {'corrected' if corrected else 'accepted'} by a reviewer"


def _with_expressions(
    sample: AnnotatedSample, kept: Sequence[tuple[int, Expression | None]]
) -> AnnotatedSample:
    """Some of the expressions, by position, each with other boxes or (None) with its own."""
    if all(vouched is None for _, vouched in kept) and len(kept) == len(sample.expressions):
        return sample
    expressions, rows = [], []
    for position, vouched in kept:
        expression, row = sample.expressions[position], sample.record["expressions"][position]
        if vouched is not None and vouched.instances != expression.instances:
            expression = replace(
                expression, instances=vouched.instances, grounding_status=vouched.grounding_status
            )
            sample_id, _, number = str(row.get("expression_id", "")).rpartition("/e")
            row = {**row, **expression.to_record(sample_id, int(number) if number.isdigit() else position)}
        expressions.append(expression)
        rows.append(row)
    return replace(
        sample,
        record={**sample.record, "expressions": rows},
        expressions=tuple(expressions),
        unjudged=sample.unjudged_if_kept({position for position, _ in kept}),
    )


def _read(file: Path) -> Iterator[JudgedSample]:
    for number, row in enumerate(read_lines(file), 1):
        try:
            yield JudgedSample.model_validate(row)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise InputError(f"{file}, line {number} is damaged: {where}: {first['msg']}.") from None

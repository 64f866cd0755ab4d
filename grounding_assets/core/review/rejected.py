"""Which of the results as they stand reviewers rejected."""

from collections.abc import Mapping
from dataclasses import dataclass

from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.review.judged import phrase_keys, result_digest
from grounding_assets.core.review.reviews import Reviews, is_same_image
from grounding_assets.core.review.said import JudgedSample
from grounding_assets.core.steps import Step
from grounding_assets.core.store.checkpoint import Checkpoint


@dataclass(frozen=True, slots=True)
class Rejected:
    samples: tuple[str, ...]
    """Ids of those that are rejected as a whole."""
    phrases: Mapping[str, tuple[int, ...]]
    """Of the others: positions of the rejected expressions, by sample id."""


def rejected_results(reviews: Reviews, workspace: Workspace, last_step: Step) -> Rejected:
    """Those whose result is still the one that was rejected; each is read from its checkpoint."""
    samples: list[str] = []
    phrases: dict[str, tuple[int, ...]] = {}
    for judged in reviews:
        if judged.verdict != "reject" and not any(phrase.is_rejected for phrase in judged.phrases):
            continue
        if judged.sample_id not in workspace.samples.entries:
            continue
        shown = workspace.shown_step(judged.sample_id, last_step)
        result = workspace.step(shown).store.load(judged.sample_id) if shown is not None else None
        if shown is None or result is None or result.cleaned_caption != judged.cleaned_caption:
            continue
        record = _record(result, shown)
        if judged.verdict == "reject" and judged.result == result_digest(record):
            samples.append(judged.sample_id)
        elif is_same_image(judged, record) and (positions := _positions(judged, result)):
            phrases[judged.sample_id] = positions
    return Rejected(tuple(samples), phrases)


def _positions(judged: JudgedSample, result: Checkpoint) -> tuple[int, ...]:
    known = judged.by_key()
    keys = phrase_keys(expression.char_span for expression in result.expressions)
    return tuple(
        position
        for position, key in enumerate(keys)
        if key in known and known[key].is_rejected_in(result.expressions[position])
    )


def _record(result: Checkpoint, step: Step) -> dict[str, object]:
    """As much of the output line as what was said is held against."""
    return {
        **result.to_json()["record"],
        "caption": "",
        "pipeline_steps": [made.record_name for made in step.so_far],
        "provenance": {step.provenance_key: result.provenance},
    }

"""Whether asking about all captions of a picture together was seen to leave a model's boxes as good as before.

Told by `auto_label evaluate` over two results on the same gold, and kept in the results folder. It holds for the endpoint, model
and settings of step 1, its prompt included, with which it was seen, and for no others.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grounding_assets.core.evaluation.results import Judgement, read_records
from grounding_assets.core.spec.settings import Spec
from grounding_assets.core.steps import Step
from grounding_assets.core.store.fingerprint import settings_fingerprint
from resources.vlm.kept_rows import KeptRows
from resources.vlm.resource import (
    endpoint_of,
    model_name,
    result_settings,
)

METRICS = ("r1_50", "box_recall_50", "all_box_f1")
_MARGIN = 0.02
"""How much worse shared pictures may be at most, by the end of the interval; a share. Takes some 170 photos at least."""
_HOW = (
    "To measure it, annotate 200 photos of a gold set or more into two folders, with workflow.share_pictures=off and =on, and "
    "compare them: `auto_label evaluate gold=FILE other=FOLDER`."
)


@dataclass(frozen=True, slots=True)
class SharingSeen:
    """What a comparison told."""

    settings: str
    """Digest of step 1's settings, prompt and model included."""
    samples: int
    lowest: Mapping[str, float]
    """By metric: the lower end of the interval of shared minus alone."""
    seen_at: str

    @property
    def keeps_boxes(self) -> bool:
        return all(low >= -_MARGIN for low in self.lowest.values())

    @property
    def words(self) -> str:
        worst = max(0.0, -min(self.lowest.values()))
        return f"at most {100 * worst:.1f} points worse (95 %) on {self.samples} samples"


def shares_pictures(spec: Spec, results_dir: Path) -> tuple[bool, str]:
    """Whether a run shares pictures, and what the user should know of that, in a sentence; empty if nothing."""
    mode = spec.workflow.share_pictures
    if mode != "auto":
        return mode == "on", ""
    for is_so, why in (
        (spec.vlm.backend == "local", "the embedded teacher is not asked by calls"),
        (spec.vlm.batch.is_on, "batch jobs ask about each caption alone"),
        (spec.workflow.asks_jointly, "joint calls ask about each caption alone"),
    ):
        if is_so:
            return False, f"Pictures are not shared: {why}."
    seen = _kept(results_dir).find(*endpoint_of(spec))
    if seen is None or seen.settings != _own_settings(spec):
        return (
            False,
            f"Pictures are not shared: whether that changes the boxes of {model_name(spec)} was not measured. {_HOW}",
        )
    if not seen.keeps_boxes:
        return False, f"Pictures are not shared: boxes were seen to be {seen.words}. {_HOW}"
    return True, f"Pictures are shared: boxes were seen to be {seen.words}."


def note_sharing(spec: Spec, results_dir: Path, judgement: Judgement) -> str:
    """Keeps what a comparison tells about shared pictures, if it is one of results with and without.

    Returns:
        What is known now, in a sentence; empty if the comparison is about something else.
    """
    if judgement.comparison is None or judgement.other_results is None:
        return ""
    sides = [_Side.of(file) for file in (judgement.results, judgement.other_results)]
    shared, alone = sorted(sides, key=lambda side: side.together, reverse=True)
    if not shared.together or alone.together:
        return ""
    own = _own_settings(spec)
    if shared.settings | alone.settings != {own}:
        return "Nothing is kept on shared pictures: the two results were not both made with this spec's settings of step 1."
    sign = 1 if shared is sides[1] else -1
    lowest = {}
    for name in METRICS:
        one = judgement.comparison.overall[name]
        end = one.low if sign == 1 else one.high
        if end is None:
            return "Nothing is kept on shared pictures: too few boxes were judged."
        lowest[name] = round(sign * end, 4)
    seen = SharingSeen(
        own, judgement.comparison.samples, lowest, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    )
    _kept(results_dir).keep(*endpoint_of(spec), seen)
    follows = "shares pictures" if seen.keeps_boxes else "does not share pictures"
    return f"With shared pictures boxes are {seen.words}: workflow.share_pictures=auto {follows} in {results_dir}."


@dataclass(frozen=True, slots=True)
class _Side:
    """One of the results that are compared."""

    together: int
    """Samples that were asked about together with others."""
    settings: frozenset[str]

    @classmethod
    def of(cls, file: Path) -> "_Side":
        made = list(_grounded(file))
        asked = (one.get("settings") for one in made)
        digests = frozenset(settings_fingerprint(one) if isinstance(one, dict) else "" for one in asked)
        return cls(sum("captions_asked_together" in one for one in made), digests)


def _grounded(file: Path) -> Iterator[Mapping[str, Any]]:
    for record in read_records(file):
        steps = record.get("provenance")
        made = steps.get(Step.GROUNDING.provenance_key) if isinstance(steps, dict) else None
        yield made if isinstance(made, dict) else {}


def _kept(results_dir: Path) -> KeptRows[SharingSeen]:
    return KeptRows(results_dir, "shared_pictures.json", SharingSeen)


def _own_settings(spec: Spec) -> str:
    return settings_fingerprint(result_settings(spec, Step.GROUNDING))

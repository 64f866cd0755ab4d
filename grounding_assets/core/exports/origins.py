"""Who made the records of an export: backends, models, prompts and settings, counted by samples."""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from grounding_assets.core.dataset.annotated import AnnotatedSample

DEMO_BACKEND = "local"
"""The embedded demonstration teacher."""
MAX_ORIGINS = 50
"""Distinct origins that are listed; the rest is counted together."""


class Origin(NamedTuple):
    """What made one step of a sample, in words; "not stated" if a record does not say."""

    step: str
    backend: str
    model: str
    prompt_version: str
    settings: str


@dataclass
class Origins:
    counts: Counter[Origin] = field(default_factory=Counter)
    unlisted: int = 0
    """Samples' steps beyond the first `MAX_ORIGINS` origins."""

    def add(self, sample: AnnotatedSample) -> None:
        for step, provenance in sorted(sample.provenance.items()):
            stated = [provenance.get(name) for name in ("backend", "model", "prompt_version", "settings")]
            origin = Origin(step, *(_words(value) for value in stated))
            if origin in self.counts or len(self.counts) < MAX_ORIGINS:
                self.counts[origin] += 1
            else:
                self.unlisted += 1


def made_by_demo_teacher(sample: AnnotatedSample) -> bool:
    return any(step.get("backend") == DEMO_BACKEND for step in sample.provenance.values())


def _words(value: object) -> str:
    if value is None or value == "":
        return "not stated"
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)

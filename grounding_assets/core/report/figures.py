"""Counts and distributions over all records of a set, in one pass and bounded memory.

Only observation here: how figures are drawn is in `plots`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from grounding_assets.core.dataset.annotated import is_grounded
from grounding_assets.core.report.doubt import area_share


class Distribution:
    """Non-negative numbers, counted at three significant digits, so that memory does not grow with them."""

    def __init__(self) -> None:
        self.counts: Counter[float] = Counter()
        self.total = 0.0

    def add(self, value: float) -> None:
        """Counts one finite number of 0 or more."""
        self.counts[float(f"{value:.3g}")] += 1
        self.total += value

    def __len__(self) -> int:
        return self.counts.total()

    def quantile(self, q: float) -> float:
        """The smallest counted value with at least a share `q` (0.0 to 1.0) at or below it.

        Right to three significant digits. Raises `ValueError` if nothing was counted.
        """
        if not self.counts:
            raise ValueError("no quantile of an empty distribution")
        needed, seen = q * len(self), 0
        for value in sorted(self.counts):
            seen += self.counts[value]
            if seen >= needed:
                return value
        return max(self.counts)


@dataclass
class Figures:
    """What the summary states, filled by `observe` and `observe_failure`."""

    lines: int = 0
    """Lines with a result; a sample that stands twice in the input counts twice."""
    failures: Counter[str] = field(default_factory=Counter)
    """By reason."""
    expressions: int = 0
    grounded_expressions: int = 0
    """Of which step 1 has been asked."""
    without_box: Counter[str] = field(default_factory=Counter)
    """Grounded expressions that have no box, by status."""
    repaired_spans: int = 0
    boxes: int = 0
    default_scores: int = 0
    """Boxes to which the model gave no score of its own."""
    made_by: Counter[str] = field(default_factory=Counter)
    """Backend and model of step 1 (step 0 if it has not run), by lines."""
    tokens_in: int = 0
    tokens_out: int = 0
    boxes_per_expression: Distribution = field(default_factory=Distribution)
    box_share: Distribution = field(default_factory=Distribution)
    """Area of a box over that of its photo, 0.0 to 1.0."""
    score: Distribution = field(default_factory=Distribution)
    """Scores that the model gave itself."""
    tokens: Distribution = field(default_factory=Distribution)
    """Per sample, in and out, both steps."""
    seconds: Distribution = field(default_factory=Distribution)
    """Per sample, both steps."""

    def observe(self, record: Mapping[str, Any]) -> None:
        """Counts one line of `annotations.jsonl`."""
        self.lines += 1
        grounded = is_grounded(record)
        for expression in record["expressions"]:
            self.expressions += 1
            self.repaired_spans += expression.get("span_status") == "repaired"
            if grounded:
                self._observe_boxes(expression, record)
        self._observe_cost(record.get("provenance", {}))

    def observe_failure(self, failure: Mapping[str, Any]) -> None:
        """Counts one line of `failures.jsonl`."""
        self.failures[str(failure["reason"])] += 1

    def _observe_boxes(self, expression: Mapping[str, Any], record: Mapping[str, Any]) -> None:
        instances = expression["instances"]
        self.grounded_expressions += 1
        self.boxes += len(instances)
        self.boxes_per_expression.add(len(instances))
        if not instances:
            self.without_box[str(expression.get("grounding_status", "none_seen"))] += 1
        for instance in instances:
            if (share := area_share(instance["bbox"], record)) is not None:
                self.box_share.add(share)
            if instance.get("score_source") == "model":
                self.score.add(instance["score"])
            else:
                self.default_scores += 1

    def _observe_cost(self, provenance: Mapping[str, Any]) -> None:
        steps = [step for key in ("step_1", "step_0") if isinstance(step := provenance.get(key), Mapping)]
        if steps:
            named = (str(steps[0][key]) for key in ("backend", "model") if steps[0].get(key))
            self.made_by[" ".join(named)] += 1
        tokens_in, tokens_out = (_sum(steps, key) for key in ("tokens_in", "tokens_out"))
        self.tokens_in += int(tokens_in or 0)
        self.tokens_out += int(tokens_out or 0)
        if tokens_in is not None or tokens_out is not None:
            self.tokens.add((tokens_in or 0) + (tokens_out or 0))
        if (seconds := _sum(steps, "seconds")) is not None:
            self.seconds.add(seconds)


def _sum(steps: Iterable[Mapping[str, Any]], key: str) -> float | None:
    """Over the steps that state it; None if none does."""
    stated = [step[key] for step in steps if isinstance(step.get(key), int | float)]
    usable = [value for value in stated if isfinite(value) and value >= 0]
    return sum(usable) if usable else None

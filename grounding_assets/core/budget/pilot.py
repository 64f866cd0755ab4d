"""A pilot: which samples it takes, what they took and gave, and what the rest of the set will take.

Not here: how money is counted and totals are predicted (`cost`), and how it is put to the user (the command).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from grounding_assets.core.budget.cost import Estimate, Usage, project
from grounding_assets.core.budget.prices import Prices
from grounding_assets.core.budget.stored_usage import usage_of
from grounding_assets.core.dataset.choice import SeededChoice
from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.spec.settings import WorkflowSpec
from grounding_assets.core.steps import Step
from grounding_assets.core.store.checkpoint import Checkpoint


def chosen_samples(sample_ids: Sequence[str], workflow: WorkflowSpec) -> list[str]:
    """The samples that a run over the set takes, in input order: all, the first, or a seeded choice.

    The choice depends on the ids and the seed alone, and a larger one holds the smaller one.
    """
    if workflow.limit:
        return list(sample_ids[: workflow.limit])
    if not workflow.sample:
        return list(sample_ids)
    choice = SeededChoice[str](workflow.sample, workflow.seed)
    for sample_id in sample_ids:
        choice.offer(sample_id, lambda kept=sample_id: kept)
    return choice.chosen()


@dataclass
class PilotFigures:
    """What the pilot's samples gave and took, over all runs that worked on them."""

    samples: int = 0
    """Samples of the pilot, with a result or without."""
    set_size: int = 0
    """Samples of the whole set."""
    remaining: int = 0
    """Samples of the whole set that lack a result."""
    without_image: int = 0
    """Of `remaining`, those whose image file is not there: they fail without a call."""
    steps: tuple[Step, ...] = ()
    expressions: int = 0
    boxes: int = 0
    without_box: int = 0
    """Expressions that step 1 was asked about and found nothing for."""
    failed: Counter[str] = field(default_factory=Counter)
    """Samples without a result, by reason."""
    done: int = 0
    """Samples with a result."""
    usage: list[Usage] = field(default_factory=list)
    """One entry a sample that has a result or has failed, failed attempts included; none if its image is not there."""
    seconds: list[float] = field(default_factory=list)
    """Time on each of these samples, waits between attempts not included."""
    unfinished: Usage = field(default_factory=Usage)
    """Of samples that were begun, and have neither a result nor a failure yet."""

    @property
    def to_ask(self) -> int:
        """Samples of the whole set that lack a result and will take calls."""
        return self.remaining - self.without_image

    @property
    def spent(self) -> Usage:
        return sum(self.usage, self.unfinished)


def added_up(parts: Iterable[PilotFigures]) -> PilotFigures:
    """The figures of several parts of a data set together."""
    total = PilotFigures()
    for part in parts:
        for one in fields(PilotFigures):
            if one.name != "steps":
                setattr(total, one.name, getattr(total, one.name) + getattr(part, one.name))
        total.steps = part.steps
    return total


def pilot_figures(
    workspace: Workspace, chosen: Sequence[str], steps: Sequence[Step], prices: Prices | None = None
) -> PilotFigures:
    """Counts over the checkpoints and failures of the chosen samples, each read once.

    Without `prices` the usage has no cost.
    """
    samples = workspace.samples
    figures = PilotFigures(samples=len(chosen), set_size=len(samples.entries), steps=tuple(steps))
    for pending in workspace.pending(samples.ids, steps):
        figures.remaining += 1
        figures.without_image += samples.image_stamp(pending.sample_id) == 0
    for sample_id in chosen:
        taken, seconds, failed = Usage(), 0.0, False
        last: Checkpoint | None = None
        for step in steps:
            stored, last = _outcome(figures, workspace, sample_id, step)
            if stored is None:
                break
            taken += usage_of(stored).priced(prices.of_step(step) if prices else None)
            seconds += _seconds(stored)
            if last is None:
                failed = True
                break
        if last is not None:
            _count_result(figures, last)
        if failed and not taken.calls and samples.image_stamp(sample_id) == 0:
            continue
        if last is not None or failed:
            figures.usage.append(taken)
            figures.seconds.append(seconds)
        else:
            figures.unfinished += taken
    return figures


def _outcome(
    figures: PilotFigures, workspace: Workspace, sample_id: str, step: Step
) -> tuple[dict[str, Any] | None, Checkpoint | None]:
    """What is stored of a step, a result or a failure, and the result; (None, None) if there is neither."""
    store = workspace.step(step).store
    if workspace.is_done(sample_id, step):
        checkpoint = store.load(sample_id)
        return (None, None) if checkpoint is None else ({"provenance": checkpoint.provenance}, checkpoint)
    failure = store.load_failure(sample_id)
    # a failure of an earlier input says nothing of this one
    if failure is None or failure.get("fingerprint") != workspace.input_fingerprint(sample_id, step):
        return None, None
    figures.failed[str(failure["reason"])] += 1
    return failure, None


def _count_result(figures: PilotFigures, result: Checkpoint) -> None:
    figures.done += 1
    expressions = result.expressions
    figures.expressions += len(expressions)
    figures.boxes += sum(len(expression.instances) for expression in expressions)
    if Step.GROUNDING in figures.steps:
        figures.without_box += sum(not expression.instances for expression in expressions)


def _seconds(stored: Mapping[str, Any]) -> float:
    made = stored.get("provenance")
    seconds = made.get("seconds", 0.0) if isinstance(made, Mapping) else 0.0
    return float(seconds) if isinstance(seconds, int | float) else 0.0


def project_seconds(figures: PilotFigures, remaining: int, workers: int) -> Estimate:
    """How long `remaining` further samples will take in seconds, with so many in work at a time.

    Raises:
        InputError: no sample of the pilot was tried.
    """
    # predicted like any other count of a sample: in whole milliseconds of one worker
    milliseconds = [Usage(calls=round(1000 * seconds)) for seconds in figures.seconds]
    share = 1 / (1000 * min(workers, max(1, remaining)))
    return Estimate(*(total * share for total in project(milliseconds, remaining).calls))

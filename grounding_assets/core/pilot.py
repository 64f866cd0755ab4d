"""A pilot: which samples it takes, what they took and gave, and what the rest of the set will take.

Not here: how money is counted and totals are predicted (`cost`), and how it is put to the user (the command).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from grounding_assets.core.checkpoint import Checkpoint
from grounding_assets.core.cost import Estimate, Price, Projection, Usage, project
from grounding_assets.core.report.choice import SeededChoice
from grounding_assets.core.spec import WorkflowSpec
from grounding_assets.core.spending import usage_of
from grounding_assets.core.workspace import Workspace


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
    steps: tuple[str, ...] = ()
    expressions: int = 0
    boxes: int = 0
    without_box: int = 0
    """Expressions that step 1 was asked about and found nothing for."""
    failed: Counter[str] = field(default_factory=Counter)
    """Samples without a result, by reason."""
    usage: list[Usage] = field(default_factory=list)
    """One entry a sample with a result, failed attempts included."""
    seconds: list[float] = field(default_factory=list)
    """Time on each of these samples, waits between attempts not included."""
    failed_usage: Usage = field(default_factory=Usage)
    """Of the samples that have no result."""

    @property
    def done(self) -> int:
        return len(self.usage)

    @property
    def spent(self) -> Usage:
        return sum(self.usage, self.failed_usage)


def pilot_figures(workspace: Workspace, chosen: Sequence[str], steps: Sequence[str]) -> PilotFigures:
    """Counts over the checkpoints and failures of the chosen samples, each read once."""
    figures = PilotFigures(
        samples=len(chosen),
        set_size=len(workspace.samples.entries),
        remaining=sum(1 for _ in workspace.pending(workspace.samples.ids, steps)),
        steps=tuple(steps),
    )
    for sample_id in chosen:
        results: list[Checkpoint] = []
        for step in steps:
            if not workspace.is_done(sample_id, step):
                _count_failure(figures, workspace, sample_id, step)
                figures.failed_usage += _usage(results)
                break
            checkpoint = workspace.step(step).store.load(sample_id)
            if checkpoint is None:
                break
            results.append(checkpoint)
        else:
            _count_result(figures, results)
    return figures


def _count_result(figures: PilotFigures, results: Sequence[Checkpoint]) -> None:
    expressions = results[-1].expressions
    figures.expressions += len(expressions)
    figures.boxes += sum(len(expression.instances) for expression in expressions)
    if figures.steps != ("0",):
        figures.without_box += sum(not expression.instances for expression in expressions)
    figures.usage.append(_usage(results))
    figures.seconds.append(sum(float(result.provenance.get("seconds", 0.0)) for result in results))


def _usage(results: Sequence[Checkpoint]) -> Usage:
    return sum((usage_of({"provenance": dict(result.provenance)}) for result in results), Usage())


def _count_failure(figures: PilotFigures, workspace: Workspace, sample_id: str, step: str) -> None:
    failure = workspace.step(step).store.load_failure(sample_id)
    # a failure of an earlier input says nothing of this one
    if failure is not None and failure.get("fingerprint") == workspace.input_fingerprint(sample_id, step):
        figures.failed[str(failure["reason"])] += 1
        figures.failed_usage += usage_of(failure)


def project_set(figures: PilotFigures, remaining: int, price: Price | None = None) -> Projection:
    """What `remaining` further samples will take; see `cost.project`.

    Raises:
        InputError: no sample of the pilot has a result.
    """
    return project(figures.usage, remaining, price=price)


def project_seconds(figures: PilotFigures, remaining: int, workers: int) -> Estimate:
    """How long that will take in seconds, with so many samples in work at a time.

    Raises:
        InputError: no sample of the pilot has a result.
    """
    # predicted like any other count of a sample: in whole milliseconds of one worker
    milliseconds = [Usage(calls=round(1000 * seconds)) for seconds in figures.seconds]
    share = 1 / (1000 * min(workers, max(1, remaining)))
    return Estimate(*(total * share for total in project(milliseconds, remaining).calls))

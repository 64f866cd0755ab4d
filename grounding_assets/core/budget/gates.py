"""Gates: limits that the results so far have to keep before the whole set is paid for.

A gate judges what a pilot, or an earlier run, has left. It never throws a result away.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from grounding_assets.core.budget.pilot import PilotFigures, pilot_figures
from grounding_assets.core.budget.prices import Prices
from grounding_assets.core.dataset.choice import SeededChoice
from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.errors import InputError, RunStopped
from grounding_assets.core.evaluation import Figure
from grounding_assets.core.evaluation.results import evaluate_workspace
from grounding_assets.core.spec.settings import Spec, WorkflowSpec
from grounding_assets.core.steps import Step

MAX_SAMPLES = 2_000
"""Of a larger set a seeded choice of this many tried samples is judged."""
RECALL = "box_recall_50"
"""By the head of expressions, not by span: the wording of a right box stops no run."""


class GateClosed(RunStopped):
    """The results so far do not keep a limit; nothing was sent."""


def check_gates(spec: Spec, workspace: Workspace, gold_file: Callable[[], Path]) -> None:
    """Judges the results that are there; passes if there are none yet or no gate is set.

    `gold_file` gives the file that `data.gold_jsonl` names.

    Raises:
        GateClosed: a limit is not kept; the message holds all numbers.
        InputError: the gold file cannot be read.
    """
    workflow = spec.workflow
    if workflow.min_recall == 0 and workflow.max_unboxed == workflow.max_failed == 1:
        return
    figures = figures_so_far(workspace, workflow.run_steps)
    if not figures.samples:
        return
    recall = None
    if workflow.min_recall and Step.GROUNDING in workflow.run_steps and figures.done:
        recall = _recall(workspace, gold_file())
    require_gates(workflow, figures, recall)


def require_gates(workflow: WorkflowSpec, figures: PilotFigures, recall: Figure | None = None) -> None:
    """Raises GateClosed if the figures do not keep a limit; the message has every one, with its numbers.

    `recall` is of the gold boxes; None if it is not asked for.
    """
    broken = []
    if recall is not None and (recall.value is None or recall.value < workflow.min_recall):
        found = (
            "no gold box was judged"
            if recall.value is None
            else _share(recall.value, recall.of, "gold boxes")
        )
        broken.append(f"{found} found, workflow.min_recall={workflow.min_recall:g}")
    if Step.GROUNDING in workflow.run_steps and figures.expressions:
        unboxed = figures.without_box / figures.expressions
        if unboxed > workflow.max_unboxed:
            share = _share(unboxed, figures.expressions, "expressions")
            broken.append(f"{share} without a box, workflow.max_unboxed={workflow.max_unboxed:g}")
    failed = figures.failed.total()
    tried = failed + figures.done
    if tried and failed / tried > workflow.max_failed:
        share = _share(failed / tried, tried, "samples")
        broken.append(f"{share} failed, workflow.max_failed={workflow.max_failed:g}")
    if broken:
        raise GateClosed(
            f"The results so far do not pass: {'; '.join(broken)}. Change the model or its settings and redo "
            "them with a pilot and image_grounding.workflow.force_reprocess=true, or set other limits."
        )


def figures_so_far(workspace: Workspace, steps: Sequence[Step], prices: Prices | None = None) -> PilotFigures:
    """Counts over the samples that have a result or a failure, or over a seeded choice of them."""
    failed = {path.stem for step in steps for path in workspace.step(step).store.failed_dir.glob("*.json")}
    choice = SeededChoice[str](MAX_SAMPLES, 0)
    for sample_id in workspace.samples.ids:
        if sample_id in failed or all(workspace.is_done(sample_id, step) for step in steps):
            choice.offer(sample_id, lambda kept=sample_id: kept)
    return pilot_figures(workspace, choice.chosen(), steps, prices)


def _share(share: float, of: int, what: str) -> str:
    return f"{100 * share:.1f} % of {of:,} {what}"


def _recall(workspace: Workspace, gold: Path) -> Figure:
    try:
        evaluation = evaluate_workspace(workspace, gold)
    except InputError as error:
        raise GateClosed(f"workflow.min_recall cannot be judged: {error}") from None
    if other_size := evaluation.tally.other_size:
        # few samples, or one, may be left to judge: they would answer for all
        raise GateClosed(
            f"workflow.min_recall cannot be judged: {len(other_size):,} of {evaluation.tally.totals.gold:,} gold samples "
            f"are about images of another size than the results, such as {other_size[0][0]}. Use the images that gold "
            "was made on, upright, or take these samples out of data.gold_jsonl."
        )
    return evaluation.overall[RECALL]

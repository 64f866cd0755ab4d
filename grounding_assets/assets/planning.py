"""What a run has to do: which samples, which of their steps, and what of it is made again."""

from collections.abc import Callable, Sequence

import dagster as dg

from grounding_assets.assets.run_listener import RunListener
from grounding_assets.core.annotation.summary import RunSummary
from grounding_assets.core.budget.gates import check_gates
from grounding_assets.core.budget.pilot import chosen_samples
from grounding_assets.core.dataset.workspace import PendingSample, Workspace
from grounding_assets.core.review.rejected import rejected_results
from grounding_assets.core.review.reviews import Reviews
from grounding_assets.core.spec.settings import WorkflowSpec
from grounding_assets.core.steps import Step
from grounding_assets.partitions import DataSetKeys
from resources.dataset import DataSet
from resources.vlm.doubtful_boxes import doubtful_notes


def selected_steps(steps: Sequence[Step], keys: DataSetKeys, selected: set[dg.AssetKey]) -> tuple[Step, ...]:
    """Those up to the last one that the run is to materialize."""
    last = [step for step in Step if keys.asset(step.asset) in selected or step is Step.EXTRACTION][-1]
    return tuple(step for step in steps if step in last.so_far) or (last,)


def summary_of(dataset: DataSet, steps: Sequence[Step]) -> RunSummary:
    """Of a run over the data set that has not begun."""
    samples = dataset.workspace().samples
    return RunSummary(
        set_size=len(samples.entries),
        steps=tuple(steps),
        max_workers=dataset.spec.workflow.max_workers,
        rejected_lines=samples.rejected,
        repeated_lines=samples.repeated,
    )


def plan(
    dataset: DataSet, listener: RunListener, partition_keys: Sequence[str] | None = None
) -> tuple[list[str], list[PendingSample]]:
    """The samples that the run is about, and what is to be done of them; counted in the listener's summary.

    `partition_keys`: of a run over a few samples.
    """
    workspace, summary = dataset.workspace(), listener.summary
    steps = summary.steps
    for note in doubtful_notes(dataset.spec, dataset.results_dir, workspace):
        listener.notice(note)
    chosen = _chosen(workspace, dataset.spec.workflow, partition_keys)
    chosen = _order_redo(workspace, chosen, steps, listener.notice, dataset.spec.workflow)
    pending = list(workspace.pending(chosen, steps))
    if Step.EXTRACTION not in steps:
        ready = [p for p in pending if workspace.next_fingerprint(p.sample_id, p.steps[0]) is not None]
        summary.without_step_0 = len(pending) - len(ready)
        pending = ready
    summary.requested, summary.pending = len(chosen), len(pending)
    summary.to_redo = sum(workspace.shown_step(p.sample_id, steps[-1]) is not None for p in pending)
    summary.done_before = len(chosen) - len(pending) - summary.without_step_0
    summary.other_settings = sum(
        workspace.made_with_other_settings(chosen, step, dataset.settings_fingerprint(step)) for step in steps
    )
    return chosen, pending


def _chosen(workspace: Workspace, workflow: WorkflowSpec, partition_keys: Sequence[str] | None) -> list[str]:
    if partition_keys is None:
        return chosen_samples(workspace.samples.ids, workflow)
    unknown = [key for key in partition_keys if key not in workspace.samples.entries]
    if unknown:
        raise dg.Failure(
            f"{len(unknown)} of the chosen samples are no longer in {workspace.samples.path}, the first is "
            f"'{unknown[0]}'. Materialize `samples` to bring the partitions up to date.",
            allow_retries=False,
        )
    return list(partition_keys)


def _order_redo(
    workspace: Workspace,
    chosen: Sequence[str],
    steps: Sequence[Step],
    notice: Callable[[str], None],
    workflow: WorkflowSpec,
) -> list[str]:
    """Gives the order of a run that redoes results, and says what is left of earlier ones. Nothing is moved.

    Returns the samples that the run is about: the chosen ones, or those of them that reviewers rejected.
    """
    redo = workspace.redo
    asked = chosen if redo.open else ()
    left = sum(any(workspace.is_to_redo(sample_id, step) for step in steps) for sample_id in asked)
    if left:
        notice(f"{left} samples are still to be redone, as was ordered on {redo.open[0].given}.")
    if workflow.redo == "rejected":
        return _order_rejected(workspace, chosen, steps, notice)
    if workflow.force_reprocess:
        redo.give(chosen, steps)
        return list(chosen)
    waiting = sum(
        redo.latest(sample_id, step) is not redo.order_of(sample_id, step)
        for sample_id in asked
        for step in steps
    )
    if waiting:
        notice(
            f"{waiting} results were to be redone with other settings than this run's, and are kept: run with those "
            "settings to go on, or with image_grounding.workflow.force_reprocess=true to redo them with these."
        )
    return list(chosen)


def _order_rejected(
    workspace: Workspace, chosen: Sequence[str], steps: Sequence[Step], notice: Callable[[str], None]
) -> list[str]:
    """Samples that were rejected are made again, and expressions that were are asked about again, alone."""
    rejected = rejected_results(Reviews.load(workspace.results_dir), workspace, steps[-1])
    asked = set(chosen)
    samples = asked.intersection(rejected.samples)
    phrases = {name: places for name, places in rejected.phrases.items() if name in asked}
    workspace.redo.give(samples, steps)
    if Step.GROUNDING in steps:
        workspace.redo.give(phrases, [step for step in steps if step.gives_boxes], phrases)
    count = sum(map(len, phrases.values()))
    notice(
        f"Rejected, and asked again: {len(samples)} samples, and {count} expressions of {len(phrases)} others."
    )
    return [sample_id for sample_id in chosen if sample_id in samples or sample_id in phrases]


def require_open_gates(dataset: DataSet) -> None:
    """Raises GateClosed if the whole set may not be annotated; a pilot, and a run that redoes results, may always."""
    workflow = dataset.spec.workflow
    if not (workflow.is_pilot or workflow.redoes):
        check_gates(dataset.spec, dataset.workspace(), lambda: dataset.gold_file)


def words_for_other_settings(results: int) -> str:
    """What a user should know of results that a run leaves as they are."""
    return (
        f"{results:,} results were made with other settings than this run's and are kept; "
        "image_grounding.workflow.force_reprocess=true redoes them."
    )

"""`expressions`, `groundings` and `annotation_run`: one op that takes samples through all steps.

`verifications` is in the graph only where the location's spec has step "2".

With partitions in the run it annotates those; without, everything that is pending. The partitioned
outputs are never yielded, since that would mark failed samples as materialized too: each finished
sample is reported by an event of its own.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import dagster as dg

from grounding_assets.assets.annotating import annotate_pending
from grounding_assets.assets.outcome import end_annotation, writes_files
from grounding_assets.assets.reporting import DagsterListener, upstream_of
from grounding_assets.core.annotation.progress import Progress
from grounding_assets.core.annotation.summary import RunSummary
from grounding_assets.core.budget.gates import check_gates
from grounding_assets.core.budget.pilot import chosen_samples
from grounding_assets.core.dataset.rollup import write_outputs, write_outputs_beside_other_runs
from grounding_assets.core.dataset.workspace import PendingSample, Workspace
from grounding_assets.core.errors import GroundingError, visible
from grounding_assets.core.spec.settings import WorkflowSpec
from grounding_assets.core.steps import Step
from grounding_assets.partitions import DataSetKeys, provenance_tags
from resources.dataset import DataSet
from resources.dead_runs import fail_dead_runs
from resources.memory import keep_large_buffers_apart

_GIVES = {
    Step.EXTRACTION: "the cleaned caption of each sample and its referring expressions",
    Step.GROUNDING: "the boxes of each expression, in pixels of the upright image",
    Step.VERIFICATION: "whether each box shows what its expression refers to, and whether one is missing",
}


def build_annotate(
    keys: DataSetKeys, progress: Progress, steps_in_graph: Sequence[Step]
) -> dg.AssetsDefinition:
    samples, endpoint, run = (keys.asset(name) for name in ("samples", "endpoint_check", "annotation_run"))
    step_keys = [keys.asset(step.asset) for step in steps_in_graph]

    @dg.multi_asset(
        name=f"{keys.name}__annotate",
        specs=[
            *(
                dg.AssetSpec(
                    keys.asset(step.asset),
                    deps=upstream_of(step, keys),
                    partitions_def=keys.partitions,
                    skippable=True,
                    group_name="annotation",
                    kinds={"vlm"},
                    description=f"Step {step}: {_GIVES[step]}.",
                )
                for step in steps_in_graph
            ),
            dg.AssetSpec(
                run,
                # of its own accord: the dependencies of outputs that are not selected order nothing
                deps=[samples, endpoint, *step_keys],
                skippable=True,
                group_name="annotation",
                kinds={"vlm"},
                description="Materialize this to annotate everything that is pending: new samples, "
                "changed captions, earlier failures.",
            ),
        ],
        can_subset=True,
        backfill_policy=dg.BackfillPolicy.single_run(),
        required_resource_keys={keys.resource},
    )
    def annotate(context: dg.AssetExecutionContext) -> Iterator[Any]:
        keep_large_buffers_apart()
        fail_dead_runs(context.instance)
        dataset: DataSet = getattr(context.resources, keys.resource)
        selected = set(context.selected_asset_keys)
        partitioned = context.has_partition_key or context.has_partition_key_range
        workspace = dataset.workspace()
        steps = dataset.spec.workflow.run_steps
        lacking = [step for step in steps if step not in steps_in_graph]
        if lacking:
            raise dg.Failure(
                f'This code location has no step "{lacking[0]}": add it to image_grounding.workflow.steps of its spec.',
                allow_retries=False,
            )
        if partitioned:
            steps = _selected_steps(steps, keys, selected)
        chosen = _chosen(
            workspace, dataset.spec.workflow, list(context.partition_keys) if partitioned else None
        )

        def notice(text: str) -> None:
            context.log.info(visible(text))
            progress.notice(text)

        def warn(text: str) -> None:
            context.log.warning(text)
            progress.notice(text)
            summary.warnings.append(text)

        for text in [*dataset.notes, *([dataset.notice] if dataset.notice else [])]:
            notice(text)
        workflow = dataset.spec.workflow
        summary = RunSummary(requested=len(chosen), steps=steps, max_workers=workflow.max_workers)
        _order_redo(workspace, chosen, steps, notice, forced=workflow.force_reprocess)
        pending = _plan(workspace, chosen, steps, summary)
        summary.other_settings = _made_otherwise(dataset, workspace, chosen, steps)
        if summary.other_settings and not workflow.force_reprocess:
            notice(
                f"{summary.other_settings} results were made with other settings than this run's and are kept; "
                "image_grounding.workflow.force_reprocess=true redoes them."
            )
        files_follow = not partitioned and writes_files(context, keys)
        written = False
        try:
            with DagsterListener(context, keys, workspace, summary, progress) as listener:
                listener.report_done(chosen, steps, everything=partitioned)
                error = None if partitioned else _closed_gate(dataset, workspace, pending)
                error = error or annotate_pending(dataset, workspace, pending, listener, notice, warn)
            written = files_follow
        finally:
            # however it ended, what it came to is on disk before anybody is told why
            if partitioned:
                write_outputs_beside_other_runs(workspace, dataset.spec.workflow.run_steps, notice)
            elif not written:
                write_outputs(workspace, dataset.spec.workflow.run_steps, notice)
        context.log.info(visible(summary.sentence()))
        summary.stopped_by = error
        if run in selected and (error is None or files_follow):
            yield dg.MaterializeResult(
                asset_key=run,
                metadata=_metadata(summary),
                # the samples of this very run came after the run's inputs were noted
                tags=provenance_tags(step_keys),
            )
        if error is not None and not files_follow:
            if partitioned:
                # in a failed run, every chosen partition that was not reached would show as failed
                context.instance.report_run_canceling(context.run, message=str(error))
            raise dg.Failure(str(error), allow_retries=False)
        end_annotation(context, keys, summary)

    return annotate


def _selected_steps(steps: Sequence[Step], keys: DataSetKeys, selected: set[dg.AssetKey]) -> tuple[Step, ...]:
    """Those up to the last one that the run is to materialize."""
    last = [step for step in Step if keys.asset(step.asset) in selected or step is Step.EXTRACTION][-1]
    return tuple(step for step in steps if step in last.so_far) or (last,)


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
    *,
    forced: bool,
) -> None:
    """Gives the order of a forced run, and says what is left of earlier ones. Nothing is moved."""
    redo = workspace.redo
    left = sum(any(workspace.is_to_redo(sample_id, step) for step in steps) for sample_id in chosen)
    if left:
        notice(f"{left} samples are still to be redone, as force_reprocess ordered on {redo.open[0].given}.")
    if forced:
        redo.give(chosen, steps)
        return
    waiting = sum(
        redo.latest(sample_id, step) is not redo.order_of(sample_id, step)
        for sample_id in (chosen if redo.open else ())
        for step in steps
    )
    if waiting:
        notice(
            f"{waiting} results were to be redone with other settings than this run's, and are kept: run with those "
            "settings to go on, or with image_grounding.workflow.force_reprocess=true to redo them with these."
        )


def _plan(
    workspace: Workspace, chosen: Sequence[str], steps: Sequence[Step], summary: RunSummary
) -> list[PendingSample]:
    pending = list(workspace.pending(chosen, steps))
    if Step.EXTRACTION not in steps:
        ready = [p for p in pending if workspace.next_fingerprint(p.sample_id, p.steps[0]) is not None]
        summary.without_step_0 = len(pending) - len(ready)
        pending = ready
    summary.pending = len(pending)
    summary.to_redo = sum(workspace.shown_step(p.sample_id, steps[-1]) is not None for p in pending)
    summary.done_before = len(chosen) - len(pending) - summary.without_step_0
    return pending


def _closed_gate(
    dataset: DataSet, workspace: Workspace, pending: Sequence[PendingSample]
) -> GroundingError | None:
    """Why the whole set may not be annotated; a pilot, and a run that redoes everything, may always."""
    workflow = dataset.spec.workflow
    if not pending or workflow.is_pilot or workflow.force_reprocess:
        return None
    try:
        check_gates(dataset.spec, workspace)
    except GroundingError as error:
        return error
    return None


def _made_otherwise(
    dataset: DataSet, workspace: Workspace, chosen: Sequence[str], steps: Sequence[Step]
) -> int:
    return sum(
        workspace.made_with_other_settings(chosen, step, dataset.settings_fingerprint(step)) for step in steps
    )


def _metadata(summary: RunSummary) -> dict[str, Any]:
    reasons = {f"failed_{reason}": count for reason, count in sorted(summary.failed_by_reason.items())}
    stopped = {} if summary.stopped_by is None else {"stopped_by": str(summary.stopped_by)}
    warnings = {"warnings": "\n".join(summary.warnings)} if summary.warnings else {}
    return {**summary.figures(), **reasons, **stopped, **warnings}

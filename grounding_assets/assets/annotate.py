"""`expressions`, `groundings` and `annotation_run`: one op that takes samples through both steps.

With partitions in the run it annotates those; without, everything that is pending. The partitioned
outputs are never yielded, since that would mark failed samples as materialized too: each finished
sample is reported by an event of its own.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import dagster as dg

from grounding_assets.assets.outcome import end_annotation
from grounding_assets.assets.reporting import DagsterListener
from grounding_assets.assets.signals import stopping_on_signals
from grounding_assets.core.annotator import Annotator
from grounding_assets.core.errors import GroundingError
from grounding_assets.core.pilot import chosen_samples
from grounding_assets.core.progress import Progress
from grounding_assets.core.spec import WorkflowSpec
from grounding_assets.core.summary import RunSummary
from grounding_assets.core.teacher import Teacher
from grounding_assets.core.workspace import PendingSample, Workspace
from grounding_assets.partitions import DataSetKeys
from resources.dataset import DataSet
from resources.dead_runs import claim_run, fail_dead_runs


def build_annotate(keys: DataSetKeys, progress: Progress) -> dg.AssetsDefinition:
    samples, endpoint, expressions, groundings, run = (
        keys.asset(name)
        for name in ("samples", "endpoint_check", "expressions", "groundings", "annotation_run")
    )

    @dg.multi_asset(
        name=f"{keys.name}__annotate",
        specs=[
            dg.AssetSpec(
                expressions,
                deps=[samples, endpoint],
                partitions_def=keys.partitions,
                skippable=True,
                group_name="annotation",
                kinds={"vlm"},
                description="Step 0: the cleaned caption of each sample and its referring expressions.",
            ),
            dg.AssetSpec(
                groundings,
                deps=[expressions],
                partitions_def=keys.partitions,
                skippable=True,
                group_name="annotation",
                kinds={"vlm"},
                description="Step 1: the boxes of each expression, in pixels of the upright image.",
            ),
            dg.AssetSpec(
                run,
                # of its own accord: the dependencies of outputs that are not selected order nothing
                deps=[samples, endpoint, expressions, groundings],
                skippable=True,
                group_name="annotation",
                kinds={"vlm"},
                description="Materialize this to annotate everything that is pending: new samples, "
                "changed captions, earlier failures.",
            ),
        ],
        can_subset=True,
        backfill_policy=dg.BackfillPolicy.single_run(),
        required_resource_keys={"dataset"},
    )
    def annotate(context: dg.AssetExecutionContext) -> Iterator[Any]:
        claim_run(context.instance, context.run)
        fail_dead_runs(context.instance)
        dataset: DataSet = context.resources.dataset
        selected = set(context.selected_asset_keys)
        partitioned = context.has_partition_key or context.has_partition_key_range
        workspace = dataset.workspace()
        steps = _steps(dataset, partitioned, selected=selected, groundings=groundings)
        chosen = _chosen(
            workspace, dataset.spec.workflow, list(context.partition_keys) if partitioned else None
        )

        def notice(text: str) -> None:
            context.log.info(text)
            progress.notice(text)

        for text in [*dataset.notes, *([dataset.notice] if dataset.notice else [])]:
            notice(text)
        summary = RunSummary(requested=len(chosen), steps=steps)
        if dataset.spec.workflow.force_reprocess:
            _retire(workspace, chosen, steps)
        pending = _plan(workspace, chosen, steps, summary)
        with DagsterListener(context, keys, workspace, summary, progress) as listener:
            listener.report_done(chosen, steps, everything=partitioned)
            error = _run(dataset, workspace, pending, listener, notice)
        context.log.info(f"annotation run: {summary.figures()}")
        if run in selected and error is None:
            yield dg.MaterializeResult(asset_key=run, metadata=_metadata(summary))
        if error is not None:
            summary.stopped_by = error
            if partitioned:
                # in a failed run, every chosen partition that was not reached would show as failed
                context.instance.report_run_canceling(context.run, message=str(error))
            raise dg.Failure(str(error), allow_retries=False)
        end_annotation(context, keys, summary)

    return annotate


def _steps(
    dataset: DataSet, partitioned: bool, *, selected: set[dg.AssetKey], groundings: dg.AssetKey
) -> tuple[str, ...]:
    steps = dataset.spec.workflow.steps
    if partitioned and groundings not in selected:
        return tuple(step for step in steps if step == "0") or ("0",)
    return steps


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


def _retire(workspace: Workspace, chosen: Sequence[str], steps: Sequence[str]) -> None:
    for step in steps:
        results = workspace.step(step)
        results.store.retire(chosen)
        results.index.refresh()


def _plan(
    workspace: Workspace, chosen: Sequence[str], steps: Sequence[str], summary: RunSummary
) -> list[PendingSample]:
    pending = list(workspace.pending(chosen, steps))
    if "0" not in steps:
        without = [p for p in pending if workspace.input_fingerprint(p.sample_id, "1") is None]
        summary.without_step_0 = len(without)
        pending = [p for p in pending if workspace.input_fingerprint(p.sample_id, "1") is not None]
    summary.pending = len(pending)
    summary.done_before = len(chosen) - len(pending) - summary.without_step_0
    return pending


def _run(
    dataset: DataSet,
    workspace: Workspace,
    pending: list[PendingSample],
    listener: DagsterListener,
    notice: Callable[[str], None],
) -> GroundingError | None:
    """Annotates; returns the error that ended it early, which is raised once all is reported."""
    if not pending:
        return None

    async def work(teacher: Teacher[Any]) -> None:
        annotator = Annotator(workspace, teacher, listener, max_workers=dataset.spec.workflow.max_workers)
        listener.in_flight_limit = lambda: teacher.in_flight_limit
        with stopping_on_signals(annotator.stop):
            await annotator.run(pending)

    try:
        dataset.with_teacher(work, notice)
    except GroundingError as error:
        return error
    return None


def _metadata(summary: RunSummary) -> dict[str, Any]:
    reasons = {f"failed_{reason}": count for reason, count in sorted(summary.failed_by_reason.items())}
    return {**summary.figures(), **reasons}

"""`expressions`, `groundings` and `annotation_run`: one op that takes samples through all steps.

`verifications`, the second look, is in the graph only where the location's spec has step "2".

With partitions in the run it annotates those; without, everything that is pending. The partitioned
outputs are never yielded, since that would mark failed samples as materialized too: each finished
sample is reported by an event of its own.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import dagster as dg

from grounding_assets.assets.outcome import end_annotation
from grounding_assets.assets.reporting import ASSET_OF_STEP, DagsterListener
from grounding_assets.assets.signals import stopping_on_signals
from grounding_assets.core.annotation.annotator import GRACE_S, Annotator
from grounding_assets.core.annotation.progress import Progress
from grounding_assets.core.annotation.summary import RunSummary
from grounding_assets.core.annotation.teacher import Teacher
from grounding_assets.core.budget.gates import check_gates
from grounding_assets.core.budget.pilot import chosen_samples
from grounding_assets.core.dataset.workspace import PendingSample, Workspace
from grounding_assets.core.errors import GroundingError, Interrupted, RunStopped
from grounding_assets.core.spec.settings import WorkflowSpec
from grounding_assets.partitions import DataSetKeys, provenance_tags
from resources.dataset import DataSet
from resources.dead_runs import fail_dead_runs
from resources.memory import keep_large_buffers_apart


def build_annotate(keys: DataSetKeys, progress: Progress, *, verifying: bool = False) -> dg.AssetsDefinition:
    samples, endpoint, expressions, groundings, verifications, run = (
        keys.asset(name)
        for name in (
            "samples",
            "endpoint_check",
            "expressions",
            "groundings",
            "verifications",
            "annotation_run",
        )
    )
    second_look = [
        dg.AssetSpec(
            verifications,
            deps=[groundings],
            partitions_def=keys.partitions,
            skippable=True,
            group_name="annotation",
            kinds={"vlm"},
            description="Step 2: whether each box shows what its expression refers to, and whether one is missing.",
        )
    ]
    second_look = second_look if verifying else []

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
            *second_look,
            dg.AssetSpec(
                run,
                # of its own accord: the dependencies of outputs that are not selected order nothing
                deps=[samples, endpoint, expressions, groundings, *(spec.key for spec in second_look)],
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
        steps = dataset.spec.workflow.steps
        if "2" in steps and not verifying:
            raise dg.Failure(
                'This code location has no step "2": add it to image_grounding.workflow.steps of its spec.',
                allow_retries=False,
            )
        if partitioned:
            steps = _selected_steps(steps, keys, selected)
        chosen = _chosen(
            workspace, dataset.spec.workflow, list(context.partition_keys) if partitioned else None
        )

        def notice(text: str) -> None:
            context.log.info(text)
            progress.notice(text)

        for text in [*dataset.notes, *([dataset.notice] if dataset.notice else [])]:
            notice(text)
        if workspace.moved_late:
            notice(
                f"{workspace.moved_late} results were still to be moved aside by a run with force_reprocess that was "
                "killed. They are moved now, and made again."
            )
        workflow = dataset.spec.workflow
        summary = RunSummary(requested=len(chosen), steps=steps, max_workers=workflow.max_workers)
        if workflow.force_reprocess:
            workspace.retire(chosen, steps)
        pending = _plan(workspace, chosen, steps, summary)
        summary.other_settings = _made_otherwise(dataset, workspace, chosen, steps)
        if summary.other_settings:
            notice(
                f"{summary.other_settings} results were made with other settings than this run's and are kept; "
                "image_grounding.workflow.force_reprocess=true makes them anew."
            )
        with DagsterListener(context, keys, workspace, summary, progress) as listener:
            listener.report_done(chosen, steps, everything=partitioned)
            error = None if partitioned else _closed_gate(dataset, workspace, pending)
            error = error or _run(dataset, workspace, pending, listener, notice)
        context.log.info(summary.sentence())
        summary.stopped_by = error
        # a cap is a planned end: what was paid for is rolled up before the run fails
        planned = isinstance(error, RunStopped) and error.lets_calls_finish and not partitioned
        if run in selected and (error is None or planned):
            yield dg.MaterializeResult(
                asset_key=run,
                metadata=_metadata(summary),
                # the samples of this very run came after the run's inputs were noted
                tags=provenance_tags([expressions, groundings, *(spec.key for spec in second_look)]),
            )
        if error is not None and not planned:
            if partitioned:
                # in a failed run, every chosen partition that was not reached would show as failed
                context.instance.report_run_canceling(context.run, message=str(error))
            raise dg.Failure(str(error), allow_retries=False)
        end_annotation(context, keys, summary)

    return annotate


def _selected_steps(steps: Sequence[str], keys: DataSetKeys, selected: set[dg.AssetKey]) -> tuple[str, ...]:
    """Those up to the last one that the run is to materialize."""
    last = max((step for step, asset in ASSET_OF_STEP.items() if keys.asset(asset) in selected), default="0")
    return tuple(step for step in steps if step <= last) or (last,)


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


def _plan(
    workspace: Workspace, chosen: Sequence[str], steps: Sequence[str], summary: RunSummary
) -> list[PendingSample]:
    pending = list(workspace.pending(chosen, steps))
    if "0" not in steps:
        ready = [p for p in pending if workspace.input_fingerprint(p.sample_id, p.steps[0]) is not None]
        summary.without_step_0 = len(pending) - len(ready)
        pending = ready
    summary.pending = len(pending)
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
    dataset: DataSet, workspace: Workspace, chosen: Sequence[str], steps: Sequence[str]
) -> int:
    return sum(
        workspace.made_with_other_settings(chosen, step, dataset.settings_fingerprint(step)) for step in steps
    )


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
    pending.reverse()

    async def work(teacher: Teacher[Any]) -> None:
        async with dataset.verifier(teacher) as verifier:
            annotator = Annotator(
                workspace,
                teacher,
                listener,
                max_workers=dataset.spec.workflow.max_workers,
                verifier=verifier,
            )
            listener.in_flight_limit = lambda: teacher.in_flight_limit

            def stop(reason: Interrupted) -> None:
                annotator.stop(reason)
                teacher.stop(reason)
                listener.stopping(GRACE_S)

            listener.annotating()
            with stopping_on_signals(stop):
                # each is let go once it is begun: at 100,000 samples that is room for 20 images
                await annotator.run(pending.pop() for _ in range(len(pending)))

    try:
        dataset.with_teacher(work, notice)
    except GroundingError as error:
        return error
    return None


def _metadata(summary: RunSummary) -> dict[str, Any]:
    reasons = {f"failed_{reason}": count for reason, count in sorted(summary.failed_by_reason.items())}
    stopped = {} if summary.stopped_by is None else {"stopped_by": str(summary.stopped_by)}
    return {**summary.figures(), **reasons, **stopped}

"""`expressions`, `groundings` and `annotation_run`: one op that takes samples through all steps.

`verifications` is in the graph only where the location's spec has step "2".

With partitions in the run it annotates those; without, everything that is pending. The partitioned
outputs are never yielded, since that would mark failed samples as materialized too: each finished
sample is reported by an event of its own.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from grounding_assets.assets.annotating import annotate_pending
from grounding_assets.assets.outcome import end_annotation, writes_files
from grounding_assets.assets.planning import (
    chosen_of_run,
    closed_gate,
    made_otherwise,
    order_redo,
    plan,
    selected_steps,
)
from grounding_assets.assets.reporting import DagsterListener, upstream_of
from grounding_assets.core.annotation.progress import Progress
from grounding_assets.core.annotation.summary import RunSummary
from grounding_assets.core.dataset.rollup import write_outputs, write_outputs_beside_other_runs
from grounding_assets.core.errors import visible
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
                    description=f"Step {step}: {_GIVES[step]}. Open a partition to see its phrases, or why it failed.",
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
                "changed captions, earlier failures. Next: `annotations` and `report`, or the job annotate_pending for all.",
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
            steps = selected_steps(steps, keys, selected)
        chosen = chosen_of_run(
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
        summary = RunSummary(
            requested=len(chosen),
            set_size=len(workspace.samples.entries),
            steps=steps,
            max_workers=workflow.max_workers,
            rejected_lines=workspace.samples.rejected,
            repeated_lines=workspace.samples.repeated,
        )
        chosen = order_redo(workspace, chosen, steps, notice, workflow)
        summary.requested = len(chosen)
        pending = plan(workspace, chosen, steps, summary)
        summary.other_settings = made_otherwise(dataset, workspace, chosen, steps)
        if summary.other_settings and not (workflow.force_reprocess or workflow.redo != "none"):
            notice(
                f"{summary.other_settings} results were made with other settings than this run's and are kept; "
                "image_grounding.workflow.force_reprocess=true redoes them."
            )
        files_follow = not partitioned and writes_files(context, keys)
        written = False
        try:
            with DagsterListener(context, keys, workspace, summary, progress) as listener:
                listener.report_done(chosen, steps, everything=partitioned)
                error = None if partitioned else closed_gate(dataset, workspace, pending)
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


def _metadata(summary: RunSummary) -> dict[str, Any]:
    first = {"first_failures": "; ".join(summary.first_failures)} if summary.first_failures else {}
    reasons = {f"failed_{reason}": count for reason, count in sorted(summary.failed_by_reason.items())}
    stopped = {} if summary.stopped_by is None else {"stopped_by": str(summary.stopped_by)}
    warnings = {"warnings": "\n".join(summary.warnings)} if summary.warnings else {}
    return {**summary.figures(), **reasons, **first, **stopped, **warnings}

"""`expressions`, `groundings` and `annotation_run`: one op that takes samples through all steps.

`verifications` is in the graph only if the location's spec has step "2".

With partitions in the run it annotates those; without, everything that is pending. The partitioned
outputs are never yielded, since that would mark failed samples as materialized too: each finished
sample is reported by an event of its own.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from grounding_assets.assets.annotating import annotate_pending
from grounding_assets.assets.outcome import Outcome, end_annotation, writes_files
from grounding_assets.assets.planning import plan, selected_steps, summary_of, words_for_other_settings
from grounding_assets.assets.reporting import DagsterListener, upstream_of
from grounding_assets.core.annotation.progress import Progress
from grounding_assets.core.annotation.summary import RunSummary
from grounding_assets.core.dataset.rollup import write_outputs, write_outputs_beside_other_runs
from grounding_assets.core.errors import BoxesInDoubt, visible
from grounding_assets.core.steps import Step
from grounding_assets.partitions import DataSetKeys, provenance_tags
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
    @dg.multi_asset(
        name=f"{keys.name}__annotate",
        specs=_specs(keys, steps_in_graph),
        can_subset=True,
        backfill_policy=dg.BackfillPolicy.single_run(),
        required_resource_keys={keys.resource},
    )
    def annotate(context: dg.AssetExecutionContext) -> Iterator[Any]:
        keep_large_buffers_apart()
        fail_dead_runs(context.instance)
        lacking = [
            step for step in keys.dataset(context).spec.workflow.run_steps if step not in steps_in_graph
        ]
        if lacking:
            raise dg.Failure(
                f'This code location has no step "{lacking[0]}": add it to image_grounding.workflow.steps of its spec.',
                allow_retries=False,
            )
        partitioned = context.has_partition_key or context.has_partition_key_range
        partition_keys = list(context.partition_keys) if partitioned else None
        files_follow = not partitioned and writes_files(context, keys)
        summary = _annotate(context, keys, progress, partition_keys, files_follow=files_follow)
        asset, stop = keys.asset("annotation_run"), summary.stopped_by
        if asset in context.selected_asset_keys and (stop is None or files_follow):
            yield dg.MaterializeResult(
                asset_key=asset,
                metadata=_metadata(summary),
                # the samples of this very run came after the run's inputs were noted
                tags=provenance_tags([keys.asset(step.asset) for step in steps_in_graph]),
            )
        if stop is not None and not files_follow:
            if partitioned and not isinstance(stop, BoxesInDoubt):
                # in a failed run, every chosen partition that was not reached would show as failed
                context.instance.report_run_canceling(context.run, message=str(stop))
            raise dg.Failure(str(stop), allow_retries=False)
        end_annotation(context, keys, summary)

    return annotate


def _specs(keys: DataSetKeys, steps_in_graph: Sequence[Step]) -> list[dg.AssetSpec]:
    samples, endpoint, run = (keys.asset(name) for name in ("samples", "endpoint_check", "annotation_run"))
    return [
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
            # named here as well: the dependencies of outputs that are not selected order nothing
            deps=[samples, endpoint, *(keys.asset(step.asset) for step in steps_in_graph)],
            skippable=True,
            group_name="annotation",
            kinds={"vlm"},
            description="Materialize this to annotate everything that is pending: new samples, "
            "changed captions, earlier failures. Next: `annotations` and `report`, or the job annotate_pending for all.",
        ),
    ]


def _annotate(
    context: dg.AssetExecutionContext,
    keys: DataSetKeys,
    progress: Progress,
    partition_keys: Sequence[str] | None,
    *,
    files_follow: bool,
) -> RunSummary:
    """Plans, annotates, and writes the files however that ends. What ended it early is kept in the summary and not raised.

    `files_follow`: later steps of the run write the files.
    """
    dataset = keys.dataset(context)
    workspace, workflow = dataset.workspace(), dataset.spec.workflow
    steps = workflow.run_steps
    if partition_keys is not None:
        steps = selected_steps(steps, keys, set(context.selected_asset_keys))
    summary = summary_of(dataset, steps)
    listener = DagsterListener(context, keys, workspace, summary, progress)
    for text in filter(None, [*dataset.notes, dataset.notice]):
        listener.notice(text)
    chosen, pending = plan(dataset, listener, partition_keys)
    if summary.other_settings and not workflow.redoes:
        listener.notice(words_for_other_settings(summary.other_settings))
    whole_set, written = partition_keys is None, False
    try:
        with listener:
            listener.report_done(chosen, everything=not whole_set)
            summary.stopped_by = annotate_pending(dataset, pending, listener, whole_set=whole_set)
        written = files_follow
    finally:
        # however it ended, what it came to is on disk before anybody is told why
        if not whole_set:
            write_outputs_beside_other_runs(workspace, workflow.run_steps, listener.notice)
        elif not written:
            write_outputs(workspace, workflow.run_steps, listener.notice)
    context.log.info(visible(summary.sentence()))
    return summary


def _metadata(summary: RunSummary) -> dict[str, Any]:
    reasons = {f"failed_{reason}": count for reason, count in sorted(summary.failed_by_reason.items())}
    warnings = {"warnings": "\n".join(summary.warnings)} if summary.warnings else {}
    return {**summary.figures(), **reasons, **Outcome.of(summary).to_metadata(), **warnings}

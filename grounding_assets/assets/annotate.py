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
from grounding_assets.assets.planning import (
    chosen_of_run,
    closed_gate,
    made_otherwise,
    order_redo,
    plan,
    selected_steps,
    words_for_other_settings,
)
from grounding_assets.assets.reporting import DagsterListener, upstream_of
from grounding_assets.core.annotation.progress import Progress
from grounding_assets.core.annotation.summary import RunSummary
from grounding_assets.core.dataset.rollup import write_outputs, write_outputs_beside_other_runs
from grounding_assets.core.dataset.workspace import PendingSample
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
        dataset: DataSet = getattr(context.resources, keys.resource)
        lacking = [step for step in dataset.spec.workflow.run_steps if step not in steps_in_graph]
        if lacking:
            raise dg.Failure(
                f'This code location has no step "{lacking[0]}": add it to image_grounding.workflow.steps of its spec.',
                allow_retries=False,
            )
        run = _Run(context, keys, progress, dataset)
        run.annotate()
        asset = keys.asset("annotation_run")
        stop = run.summary.stopped_by
        if asset in context.selected_asset_keys and (stop is None or run.files_follow):
            yield dg.MaterializeResult(
                asset_key=asset,
                metadata=_metadata(run.summary),
                # the samples of this very run came after the run's inputs were noted
                tags=provenance_tags([keys.asset(step.asset) for step in steps_in_graph]),
            )
        if stop is not None and not run.files_follow:
            if run.partitioned:
                # in a failed run, every chosen partition that was not reached would show as failed
                context.instance.report_run_canceling(context.run, message=str(stop))
            raise dg.Failure(str(stop), allow_retries=False)
        end_annotation(context, keys, run.summary)

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


class _Run:
    """One run of the op: plans, annotates, and writes the files however that ends."""

    def __init__(
        self, context: dg.AssetExecutionContext, keys: DataSetKeys, progress: Progress, dataset: DataSet
    ):
        self._context, self._keys, self._progress, self._dataset = context, keys, progress, dataset
        self._workspace = dataset.workspace()
        self.partitioned = context.has_partition_key or context.has_partition_key_range
        self.files_follow = not self.partitioned and writes_files(context, keys)
        """Whether later steps of the run write the files."""
        steps = dataset.spec.workflow.run_steps
        if self.partitioned:
            steps = selected_steps(steps, keys, set(context.selected_asset_keys))
        samples = self._workspace.samples
        self.summary = RunSummary(
            set_size=len(samples.entries),
            steps=steps,
            max_workers=dataset.spec.workflow.max_workers,
            rejected_lines=samples.rejected,
            repeated_lines=samples.repeated,
        )

    def annotate(self) -> None:
        """Leaves what it came to in `summary`; what ended it early is kept there and not raised."""
        for text in [*self._dataset.notes, *([self._dataset.notice] if self._dataset.notice else [])]:
            self._notice(text)
        chosen, pending = self._planned()
        dataset, workspace, summary = self._dataset, self._workspace, self.summary
        written = False
        try:
            with DagsterListener(self._context, self._keys, workspace, summary, self._progress) as listener:
                listener.report_done(chosen, summary.steps, everything=self.partitioned)
                stop = None if self.partitioned else closed_gate(dataset, workspace, pending)
                summary.stopped_by = stop or annotate_pending(
                    dataset, workspace, pending, listener, self._notice, self._warn
                )
            written = self.files_follow
        finally:
            # however it ended, what it came to is on disk before anybody is told why
            if self.partitioned:
                write_outputs_beside_other_runs(workspace, dataset.spec.workflow.run_steps, self._notice)
            elif not written:
                write_outputs(workspace, dataset.spec.workflow.run_steps, self._notice)
        self._context.log.info(visible(summary.sentence()))

    def _planned(self) -> tuple[list[str], list[PendingSample]]:
        """The samples that the run is about, and what is to be done of them."""
        workspace, summary, workflow = self._workspace, self.summary, self._dataset.spec.workflow
        keys = list(self._context.partition_keys) if self.partitioned else None
        chosen = chosen_of_run(workspace, workflow, keys)
        chosen = order_redo(workspace, chosen, summary.steps, self._notice, workflow)
        summary.requested = len(chosen)
        pending = plan(workspace, chosen, summary.steps, summary)
        summary.other_settings = made_otherwise(self._dataset, workspace, chosen, summary.steps)
        if summary.other_settings and not (workflow.force_reprocess or workflow.redo != "none"):
            self._notice(words_for_other_settings(summary.other_settings))
        return chosen, pending

    def _notice(self, text: str) -> None:
        self._context.log.info(visible(text))
        self._progress.notice(text)

    def _warn(self, text: str) -> None:
        self._context.log.warning(text)
        self._progress.notice(text)
        self.summary.warnings.append(text)


def _metadata(summary: RunSummary) -> dict[str, Any]:
    reasons = {f"failed_{reason}": count for reason, count in sorted(summary.failed_by_reason.items())}
    warnings = {"warnings": "\n".join(summary.warnings)} if summary.warnings else {}
    return {**summary.figures(), **reasons, **Outcome.of(summary).to_metadata(), **warnings}

"""When Dagster is told of each sample: one event per finished step, two per failed one, and no more.

A sample that failed is reported as planned and not as materialized; together with a run that ends
in failure, that is what Dagster shows as a failed partition. An observation beside it says why.
"""

from collections.abc import Sequence
from typing import Any, Self

import dagster as dg

from grounding_assets.assets import sample_events
from grounding_assets.assets.batch_jobs import NAME as BATCH_JOBS
from grounding_assets.assets.batch_jobs import batch_metadata
from grounding_assets.assets.run_listener import RunListener
from grounding_assets.core.annotation.progress import Progress
from grounding_assets.core.annotation.summary import RunSummary
from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.errors import SampleFailure, visible
from grounding_assets.core.steps import Step
from grounding_assets.core.store.checkpoint import Checkpoint
from grounding_assets.partitions import DataSetKeys, provenance_tags
from resources.dagster_internals import get_and_update_asset_status_cache_value
from resources.event_log import BatchEmitter


def upstream_of(step: Step, keys: DataSetKeys) -> list[dg.AssetKey]:
    """The assets that a sample's result of the step depends on."""
    names = (step.before.asset,) if step.before else ("samples", "endpoint_check")
    return [keys.asset(name) for name in names]


class DagsterListener(RunListener):
    """Turns the annotator's outcomes into events, too."""

    def __init__(
        self,
        context: dg.AssetExecutionContext,
        keys: DataSetKeys,
        workspace: Workspace,
        summary: RunSummary,
        progress: Progress,
    ):
        super().__init__(context, summary, progress)
        self._keys, self._workspace = keys, workspace
        self._emitter = BatchEmitter.from_context(context)
        self._provenance_tags = {step: provenance_tags(upstream_of(step, keys)) for step in Step}

    def __enter__(self) -> Self:
        super().__enter__()
        self._emitter.__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        self._emitter.__exit__(*raised)
        super().__exit__(*raised)

    def report_done(self, sample_ids: Sequence[str], *, everything: bool) -> None:
        """Reports results that were there before: all of them, or those that Dagster does not know.

        In a run over partitions Dagster has planned every key, and would show those that are
        skipped as failed when the run fails; so there, everything is reported again.
        """
        for step in self.summary.steps:
            known = set() if everything else self._known_to_dagster(step)
            store = self._workspace.step(step).store
            for sample_id in sample_ids:
                if sample_id not in known and self._workspace.is_done(sample_id, step):
                    checkpoint = store.load(sample_id)
                    if checkpoint is not None:
                        self._emitter.materialized(self._materialization(checkpoint, step))

    def done(self, checkpoint: Checkpoint, step: Step) -> None:
        super().done(checkpoint, step)
        self._emitter.materialized(self._materialization(checkpoint, step))

    def failed(self, sample_id: str, step: Step, failure: SampleFailure) -> None:
        super().failed(sample_id, step, failure)
        for later in [s for s in self.summary.steps if step in s.so_far]:
            if self._workspace.is_done(sample_id, later):
                # an earlier result stands, and stays in Dagster's status
                continue
            asset = self._keys.asset(later.asset)
            self._emitter.planned(asset, [sample_id])
            self._emitter.observed(sample_events.failed(sample_id, step, failure, asset, self._workspace))

    def waits_for(self, sample_ids: set[str], words: str) -> None:
        super().waits_for(sample_ids, words)
        self._context.log_event(
            dg.AssetMaterialization(
                self._keys.asset(BATCH_JOBS),
                description=visible(words) or None,
                metadata=batch_metadata(self._workspace.results_dir),
            )
        )

    def _known_to_dagster(self, step: Step) -> set[str]:
        """Partitions that are shown as materialized, and as nothing else."""
        status = get_and_update_asset_status_cache_value(
            self._context.instance, self._keys.asset(step.asset), self._keys.partitions
        )
        if status is None:
            return set()
        definition = self._keys.partitions
        shown_otherwise = {
            *status.deserialize_failed_partition_subsets(definition).get_partition_keys(),
            *status.deserialize_in_progress_partition_subsets(definition).get_partition_keys(),
        }
        materialized = status.deserialize_materialized_partition_subsets(definition)
        return set(materialized.get_partition_keys()) - shown_otherwise

    def _materialization(self, checkpoint: Checkpoint, step: Step) -> dg.AssetMaterialization:
        tags = self._provenance_tags[step]
        return sample_events.finished(checkpoint, step, self._keys, self._workspace, tags)

"""The asset graph of a spec, run in this process."""

from collections.abc import Sequence

import dagster as dg

from grounding_assets.core.annotation.progress import Progress
from grounding_assets.core.dataset.names import dataset_name
from grounding_assets.core.errors import RunStopped
from grounding_assets.core.spec.settings import DataSpec, ImageGroundingSpec, Spec, WorkflowSpec
from grounding_assets.graph import build_defs
from grounding_assets.partitions import DataSetKeys
from resources.credentials import Credentials
from resources.dagster_internals import capture_interrupts
from resources.dead_runs import process_tags
from resources.run_config import overrides_from
from resources.shards import shard_size


class Graph:
    """The graph of one data set, for as many runs as wanted."""

    def __init__(self, spec: Spec, credentials: Credentials, progress: Progress):
        self.keys = DataSetKeys(dataset_name(spec))
        # steps, gold and shards shape the graph, so they are the location's, not the run's
        base = Spec(
            results_dir=spec.results_dir,
            image_grounding=ImageGroundingSpec(
                workflow=WorkflowSpec(steps=spec.workflow.steps),
                data=DataSpec(
                    gold_jsonl=spec.data.gold_jsonl, shard_size=shard_size(spec), shard=spec.data.shard
                ),
            ),
        )
        defs = build_defs(base, credentials, progress=progress, name=self.keys.name)
        self._job = defs.resolve_implicit_global_asset_job_def()
        self._run_config = {
            "resources": {"dataset": {"config": overrides_from(spec, base)}},
            "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
        }

    def materialize(
        self,
        instance: dg.DagsterInstance,
        names: Sequence[str],
        *,
        partition_key: str | None = None,
        run_id: str | None = None,
    ) -> None:
        """One run of these assets.

        Raises:
            dg.Failure: what the run failed with.
            KeyboardInterrupt: it was interrupted.
        """
        try:
            # a signal is kept until the next step begins, instead of breaking into Dagster's own writing
            with capture_interrupts():
                self._job.execute_in_process(
                    run_config=self._run_config,
                    instance=instance,
                    asset_selection=[self.keys.asset(name) for name in names],
                    partition_key=partition_key,
                    run_id=run_id,
                    # from its creation on: a run that is killed before its first step is over, too
                    tags=process_tags(),
                )
        except dg.DagsterExecutionInterruptedError:
            raise KeyboardInterrupt from None


def stopped_by(failure: dg.Failure) -> RunStopped:
    """What a command ends with that cannot go on without the run that failed."""
    return RunStopped(failure.description or "The run failed.")

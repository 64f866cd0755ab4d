"""Shards, annotated one after another in this process."""

import time
from typing import Protocol

import dagster as dg

from grounding_assets.assets.shards import TAKEN
from grounding_assets.cli.materializing import Graph
from grounding_assets.cli.shards.display import ShardCounts
from grounding_assets.core.annotation.summary import RunSummary
from grounding_assets.core.errors import RunStopped
from grounding_assets.core.shards.joining import current_status
from grounding_assets.core.shards.manifest import Manifest
from resources.dataset import DataSet
from resources.shards import shard_dataset, shards_of

_LOOK_AGAIN_S = 1.0


class Watcher(Protocol):
    """Is told how shards go on."""

    def notice(self, text: str) -> None: ...
    def update(self, key: str, counts: ShardCounts) -> None: ...
    def ended(self, key: str) -> None: ...
    def complete(self, key: str, samples: int) -> None: ...


class _ShardProgress:
    """The progress of the shard that is worked on, told to a watcher."""

    _EVERY_S = 0.25

    def __init__(self, watcher: Watcher):
        self._watcher = watcher
        self._told = 0.0
        self.key = ""
        self.summary: RunSummary | None = None

    def notice(self, text: str) -> None:
        self._watcher.notice(text)

    def begin(self, summary: RunSummary) -> None:
        self.summary = summary
        self._watcher.update(self.key, ShardCounts.of(summary))

    def update(self, summary: RunSummary) -> None:
        now = time.monotonic()
        if now - self._told >= self._EVERY_S:
            self._told = now
            self._watcher.update(self.key, ShardCounts.of(summary))

    def end(self, summary: RunSummary) -> None:
        self._watcher.update(self.key, ShardCounts.of(summary))


class ShardWork:
    """Takes shards that are not complete, each in a Dagster run of its own."""

    def __init__(self, dataset: DataSet, manifest: Manifest, instance: dg.DagsterInstance, watcher: Watcher):
        self._dataset, self._manifest, self._instance, self._watcher = dataset, manifest, instance, watcher
        self._progress = _ShardProgress(watcher)
        self._shards = shards_of(dataset.spec)
        self._graph = Graph(dataset.spec, dataset.credentials, self._progress)
        asset = self._graph.keys.asset("annotated_shard")
        self._known = set(instance.get_materialized_partitions(asset))

    def take_all(self) -> None:
        """Goes through all shards; those that others are working on are waited for, and looked at again.

        Raises:
            GroundingError: what keeps this run from going on; samples that fail do not.
        """
        waiting = self._manifest.keys
        told = False
        while waiting:
            taken = [key for key in waiting if not self._take(key)]
            if taken and not told:
                self._watcher.notice(f"Other runs are working on {len(taken)} shards: waiting for them.")
                told = True
            if len(taken) == len(waiting):
                time.sleep(_LOOK_AGAIN_S)
            waiting = taken

    def _take(self, key: str) -> bool:
        """False if another run holds the shard."""
        if self._has_nothing_to_do(key):
            self._watcher.complete(key, self._manifest.slice_of(key).lines)
            return True
        self._progress.key, self._progress.summary = key, None
        try:
            self._graph.materialize(self._instance, ["annotated_shard"], self._graph.keys.partition_of(key))
        except dg.Failure as failure:
            return self._judge(failure)
        finally:
            self._watcher.ended(key)
        self._watcher.complete(key, self._manifest.slice_of(key).lines)
        return True

    def _judge(self, failure: dg.Failure) -> bool:
        """Whether the shard was worked on. Raises what keeps the run from going on."""
        if TAKEN in failure.metadata:
            return False
        summary = self._progress.summary
        if summary is None:
            raise RunStopped(failure.description or "The run of a shard failed.")
        if summary.stopped_by is not None:
            raise summary.stopped_by
        return True

    def _has_nothing_to_do(self, key: str) -> bool:
        """Whether the shard is complete, Dagster knows it, and neither its samples nor their images have changed."""
        workflow = self._dataset.spec.workflow
        if workflow.force_reprocess or workflow.redo != "none":
            return False
        status = current_status(self._shards, self._manifest, key, workflow.run_steps)
        if not status.is_complete or self._graph.keys.partition_of(key) not in self._known:
            return False
        with self._shards.opened(key) as folder:
            workspace = shard_dataset(self._dataset, key, folder).workspace()
            return next(workspace.pending(workspace.samples.ids, workflow.run_steps), None) is None

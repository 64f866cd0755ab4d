"""Shards, annotated one after another in this process."""

import time
from collections.abc import Sequence
from functools import partial
from typing import Protocol

import dagster as dg

from grounding_assets.assets.shards import ShardNotDone
from grounding_assets.cli.materializing import Graph, stopped_by
from grounding_assets.cli.shards.display import ShardCounts
from grounding_assets.core.annotation.summary import RunSummary
from grounding_assets.core.shards.joining import current_status, is_as_written, status_of
from grounding_assets.core.shards.manifest import Manifest
from grounding_assets.core.shards.place import ShardTaken
from resources.dataset import DataSet
from resources.dead_runs import is_over
from resources.shards import shard_dataset, shards_of
from resources.vlm.doubtful_boxes import doubtful_notes, has_unconfirmed_boxes

LOOK_AGAIN_S = 1.0
"""After so long a shard that another run holds is tried again."""


OTHERS_AT_WORK = "Other runs are working on some of the shards: waiting for them."


class Watcher(Protocol):
    """Is told how shards go on."""

    def notice(self, text: str) -> None: ...
    def update(self, key: str, counts: Sequence[int]) -> None:
        """`counts` as in `ShardCounts`."""
        ...

    def ended(self, key: str, complete: int = 0) -> None: ...


class _ShardProgress:
    """The progress of the shard that is worked on, told to a watcher."""

    _EVERY_S = 0.25

    def __init__(self, watcher: Watcher):
        self._watcher = watcher
        self._told = 0.0
        self.key = ""

    def notice(self, text: str) -> None:
        self._watcher.notice(text)

    def begin(self, summary: RunSummary) -> None:
        self._watcher.update(self.key, ShardCounts.of(summary))

    def update(self, summary: RunSummary) -> None:
        now = time.monotonic()
        if now - self._told >= self._EVERY_S:
            self._told = now
            self.begin(summary)

    end = begin


class ShardWork:
    """Takes shards that are not complete, each in a Dagster run of its own."""

    def __init__(self, dataset: DataSet, manifest: Manifest, instance: dg.DagsterInstance, watcher: Watcher):
        self._dataset, self._manifest, self._instance, self._watcher = dataset, manifest, instance, watcher
        self._progress = _ShardProgress(watcher)
        self._shards = shards_of(dataset.spec, is_over=partial(is_over, instance))
        self._graph = Graph(dataset.spec, dataset.credentials, self._progress)
        self._materialized: set[str] | None = None
        self._steps = dataset.spec.workflow.run_steps
        self._before = {key: status_of(self._shards, key) for key in manifest.keys}
        """What became of each shard before this command began."""

    def take_all(self, keys: Sequence[str]) -> None:
        """Goes through these shards; those that others are working on are waited for, and looked at again.

        Raises:
            GroundingError: what keeps this run from going on; samples that fail do not.
        """
        waiting, told = keys, False
        while waiting:
            taken = [key for key in waiting if not self.take(key)]
            if taken and not told:
                self._watcher.notice(OTHERS_AT_WORK)
                told = True
            if len(taken) == len(waiting):
                time.sleep(LOOK_AGAIN_S)
            waiting = taken

    def take(self, key: str) -> bool:
        """Annotates what is pending in a shard; False if another run holds it. Raises as `take_all`."""
        if self._shards.is_held(key):
            return False
        if self._has_nothing_to_do(key):
            self._tell_end(key)
            return True
        self._progress.key = key
        try:
            partition = self._graph.keys.partition_of(key)
            self._graph.materialize(self._instance, ["annotated_shard"], partition_key=partition)
        except ShardNotDone as failure:
            if isinstance(failure.stopped_by, ShardTaken):
                return False
            if failure.stopped_by is not None:
                raise failure.stopped_by from None
        except dg.Failure as failure:
            raise stopped_by(failure) from None
        finally:
            self._tell_end(key)
        return True

    def _tell_end(self, key: str) -> None:
        status = current_status(self._shards, self._manifest, key, self._steps)
        self._watcher.ended(key, status.samples if status.is_complete else 0)

    def _has_nothing_to_do(self, key: str) -> bool:
        """Whether another run went through the shard meanwhile; or it is complete, Dagster knows it, and nothing has changed."""
        status = current_status(self._shards, self._manifest, key, self._steps)
        if not status.pending and status.sha256 and status != self._before[key]:
            return True
        if self._dataset.spec.workflow.redoes:
            return False
        unedited = is_as_written(self._shards, key, status)
        if not (status.is_complete and unedited and self._is_materialized(key)):
            return False
        if not self._shards.looks_again:
            return True
        with self._shards.opened(key) as folder:
            shard = shard_dataset(self._dataset, key, folder)
            workspace = shard.workspace()
            for note in doubtful_notes(shard.spec, folder, workspace):
                self._watcher.notice(note)
            return next(
                workspace.pending(workspace.samples.ids, self._steps), None
            ) is None and not has_unconfirmed_boxes(shard.spec, folder)

    def _is_materialized(self, key: str) -> bool:
        if self._materialized is None:
            asset = self._graph.keys.asset("annotated_shard")
            self._materialized = self._instance.get_materialized_partitions(asset)
        return self._graph.keys.partition_of(key) in self._materialized

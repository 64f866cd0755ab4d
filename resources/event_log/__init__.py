"""Dagster's event log written in groups: the storages for `dagster.yaml` and the emitter for ops.

Everything here leans on Dagster's internals and holds for Dagster 1.13 (pinned in `pyproject.toml`);
no other part of the project may. What the events say about a sample belongs to the assets. The storage on
PostgreSQL is `resources.event_log.postgres`, which is imported only where `dagster.yaml` names it.
"""

from resources.event_log.emitter import BatchEmitter, EventOrigin
from resources.event_log.partitions import delete_partitions
from resources.event_log.storage import BatchedSqliteEventLogStorage, BatchedSqliteStorage

__all__ = [
    "BatchEmitter",
    "BatchedSqliteEventLogStorage",
    "BatchedSqliteStorage",
    "EventOrigin",
    "delete_partitions",
]

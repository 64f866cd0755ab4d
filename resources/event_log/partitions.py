"""Removes many keys of a dynamic partition set at once; Dagster itself removes one a transaction."""

from collections.abc import Iterable
from itertools import islice

from dagster import DagsterInstance
from dagster._core.storage.event_log import SqlEventLogStorage
from dagster._core.storage.event_log.schema import DynamicPartitionsTable

_CHUNK = 10_000
"""Keys in one statement: SQLite takes 32,766 values, PostgreSQL's protocol 65,535."""


def delete_partitions(instance: DagsterInstance, partition_set: str, keys: Iterable[str]) -> None:
    """Removes the keys that are there; the events of those partitions stay."""
    storage, rest, columns = instance.event_log_storage, iter(keys), DynamicPartitionsTable.c
    while chunk := list(islice(rest, _CHUNK)):
        if not isinstance(storage, SqlEventLogStorage):
            for key in chunk:
                instance.delete_dynamic_partition(partition_set, key)
            continue
        with storage.index_transaction() as connection:
            connection.execute(
                DynamicPartitionsTable.delete().where(
                    columns.partitions_def_name == partition_set, columns.partition.in_(chunk)
                )
            )

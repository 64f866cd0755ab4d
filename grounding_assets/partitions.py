"""The samples of a data set as a Dagster partition set, and the names that belong to it."""

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

_CHUNK = 10_000
"""SQLite refuses 300,000 keys in one call."""


@dataclass(frozen=True)
class DataSetKeys:
    """Asset keys and partition set of one data set; Dagster keeps status by these names."""

    name: str

    def asset(self, short_name: str) -> dg.AssetKey:
        return dg.AssetKey([self.name, short_name])

    @property
    def partition_set(self) -> str:
        return f"{self.name}/samples"

    @property
    def partitions(self) -> dg.DynamicPartitionsDefinition:
        return dg.DynamicPartitionsDefinition(name=self.partition_set)


def register_samples(
    instance: dg.DagsterInstance, keys: DataSetKeys, sample_ids: Sequence[str]
) -> tuple[int, int]:
    """Makes the partition set equal to the samples; returns how many were added and removed."""
    known = set(instance.get_dynamic_partitions(keys.partition_set))
    added = [sample_id for sample_id in sample_ids if sample_id not in known]
    for start in range(0, len(added), _CHUNK):
        instance.add_dynamic_partitions(keys.partition_set, added[start : start + _CHUNK])
    gone = known.difference(sample_ids)
    for sample_id in gone:
        instance.delete_dynamic_partition(keys.partition_set, sample_id)
    return len(added), len(gone)

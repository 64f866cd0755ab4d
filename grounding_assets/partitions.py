"""The samples of a data set as a Dagster partition set, and the names that belong to it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from resources.dagster_internals import (
    DEFAULT_DATA_VERSION,
    NULL_EVENT_POINTER,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)
from resources.dataset import DataSet
from resources.event_log import delete_partitions

STANDING_VERSION = DEFAULT_DATA_VERSION
"""Data version of what all samples depend on: reading the input again makes no sample out of date. What a
sample was made of is told by its fingerprint."""

_CHUNK = 10_000
"""SQLite refuses 300,000 keys in one call."""


@dataclass(frozen=True)
class DataSetKeys:
    """Asset keys and partition set of one data set; Dagster keeps status by these names."""

    name: str
    shared: bool = False
    """Whether the code location serves other data sets, too: then what is not an asset bears the name as well."""

    def own(self, short_name: str) -> str:
        """The name of a job, a sensor or a resource."""
        return f"{short_name}_{self.name}" if self.shared else short_name

    @property
    def resource(self) -> str:
        """Key of the resource that is a `DataSet`."""
        return self.own("dataset")

    def dataset(self, context: dg.AssetExecutionContext | dg.SensorEvaluationContext) -> DataSet:
        return getattr(context.resources, self.resource)

    def asset_of_set(
        self, short_name: str, *after: str, **more: Any
    ) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
        """Decorates what makes an asset that is not partitioned; `after` are the assets before it, `more` is as for `dg.asset`."""
        return dg.asset(
            key=self.asset(short_name),
            deps=[self.asset(name) for name in after],
            required_resource_keys={self.resource},
            backfill_policy=dg.BackfillPolicy.single_run(),
            **more,
        )

    def groups(self, *names: str) -> dg.AssetSelection:
        """The assets of these groups: a group of one name may hold those of other data sets."""
        return dg.AssetSelection.groups(*names) & dg.AssetSelection.key_prefixes([self.name])

    def asset(self, short_name: str) -> dg.AssetKey:
        return dg.AssetKey([self.name, short_name])

    @property
    def partition_set(self) -> str:
        return f"{self.name}/samples"

    @property
    def shard_set(self) -> str:
        return f"{self.name}/shards"

    @property
    def shards(self) -> dg.DynamicPartitionsDefinition:
        return dg.DynamicPartitionsDefinition(name=self.shard_set)

    def partition_of(self, shard: str) -> str:
        """The partition key of a shard, which says whose it is: engines limit runs by it."""
        return f"{self.name}-{shard}"

    def shard_of(self, partition: str) -> str:
        """The reverse of `partition_of`."""
        return partition.removeprefix(f"{self.name}-")

    @property
    def partitions(self) -> dg.DynamicPartitionsDefinition:
        return dg.DynamicPartitionsDefinition(name=self.partition_set)


def provenance_tags(upstream: Iterable[dg.AssetKey]) -> dict[str, str]:
    """Tags of an event that is reported explicitly, which Dagster would call out of sync without them."""
    return {
        tag: value
        for key in upstream
        for tag, value in (
            (get_input_data_version_tag(key), STANDING_VERSION.value),
            (get_input_event_pointer_tag(key), NULL_EVENT_POINTER),
        )
    }


def register_samples(
    instance: dg.DagsterInstance, keys: DataSetKeys, sample_ids: Sequence[str]
) -> tuple[int, int]:
    """Makes the partition set equal to the samples; returns how many were added and removed."""
    known = set(instance.get_dynamic_partitions(keys.partition_set))
    added = [sample_id for sample_id in sample_ids if sample_id not in known]
    for start in range(0, len(added), _CHUNK):
        instance.add_dynamic_partitions(keys.partition_set, added[start : start + _CHUNK])
    gone = known.difference(sample_ids)
    delete_partitions(instance, keys.partition_set, gone)
    return len(added), len(gone)


def register_shards(instance: dg.DagsterInstance, keys: DataSetKeys, shard_keys: Sequence[str]) -> int:
    """Adds the shards that are new as partitions; returns how many. What was cut stays."""
    known = set(instance.get_dynamic_partitions(keys.shard_set))
    added = [key for key in map(keys.partition_of, shard_keys) if key not in known]
    if added:
        instance.add_dynamic_partitions(keys.shard_set, added)
    return len(added)

"""Three runs that leave every kind of status and event, for the ways of writing them that the tests compare."""

import dagster as dg

from tests.resources.event_log.support import (
    EXPRESSIONS,
    GROUNDINGS,
    PARTITION_SET,
    SUMMARY,
    Report,
    annotate_asset,
)

KEYS = [f"s{i:02d}" for i in range(8)]


def run_three_times(instance: dg.DagsterInstance, report: Report) -> None:
    """Everything with three failures, then a range over good and bad ones, then one healed partition."""
    instance.add_dynamic_partitions(PARTITION_SET, KEYS)
    whole = dg.materialize(
        [annotate_asset(report, {"s02", "s05", "s06"})],
        instance=instance,
        selection=[SUMMARY],
        raise_on_error=False,
    )
    assert not whole.success
    ranged = dg.materialize(
        [annotate_asset(report, {"s06"})],
        instance=instance,
        selection=[EXPRESSIONS, GROUNDINGS],
        raise_on_error=False,
        tags={"dagster/asset_partition_range_start": "s04", "dagster/asset_partition_range_end": "s07"},
    )
    assert not ranged.success
    heal(instance, report, "s02")


def heal(instance: dg.DagsterInstance, report: Report, partition_key: str) -> None:
    asset = annotate_asset(report, set())
    healed = dg.materialize(
        [asset], instance=instance, selection=[EXPRESSIONS, GROUNDINGS], partition_key=partition_key
    )
    assert healed.success

"""Instances, a small partitioned job and a full reading of what an instance knows afterwards."""

import json
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._core.events import AssetMaterializationPlannedData, DagsterEvent, StepMaterializationData
from dagster._core.instance import InstanceRef
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from resources.event_log import BatchedSqliteEventLogStorage, BatchEmitter, EventOrigin

EXPRESSIONS, GROUNDINGS = dg.AssetKey(["demo", "expressions"]), dg.AssetKey(["demo", "groundings"])
SUMMARY = dg.AssetKey(["demo", "annotation_run"])
PARTITION_SET = "demo/samples"
SAMPLES = dg.DynamicPartitionsDefinition(name=PARTITION_SET)
ASSET_EVENT_TYPES = {
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
}


_empty = tempfile.TemporaryDirectory(prefix="empty-instance-")


@cache
def _empty_databases() -> Path:
    """Made once, as Dagster's migrations take a third of a second."""
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(_empty.name)):
        return Path(_empty.name)


def stock_instance(folder: Path) -> dg.DagsterInstance:
    if not (folder / "history").exists():
        shutil.copytree(_empty_databases(), folder, dirs_exist_ok=True)
    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(folder)))


def batched_instance(folder: Path, busy_timeout_s: int = 30) -> dg.DagsterInstance:
    if not (folder / "history").exists():
        shutil.copytree(_empty_databases(), folder, dirs_exist_ok=True)
    config = {"base_dir": str(folder), "busy_timeout_s": busy_timeout_s}
    storage = {"module": "resources.event_log", "class": "BatchedSqliteStorage", "config": config}
    ref = InstanceRef.from_dir(str(folder), overrides={"storage": {"custom": storage}})
    return dg.DagsterInstance.from_ref(ref)


def shard(instance: dg.DagsterInstance, name: str) -> Path:
    storage = instance.event_log_storage
    assert isinstance(storage, BatchedSqliteEventLogStorage)
    return Path(storage.place) / f"{name}.db"


def rows(database: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


def count_events(database: Path, condition: str = "1") -> int:
    return rows(database, f"SELECT count(*) FROM event_logs WHERE {condition}")[0][0]


def add_run(instance: dg.DagsterInstance, run_id: str, status: dg.DagsterRunStatus) -> None:
    instance.add_run(dg.DagsterRun(job_name="annotate_job", run_id=run_id, status=status))


def origin(run_id: str) -> EventOrigin:
    return EventOrigin(run_id=run_id, job_name="annotate_job", step_key="annotate")


def materializations(run_id: str, asset_key: dg.AssetKey, keys: Iterable[str]) -> list[dg.EventLogEntry]:
    return [
        entry(
            run_id,
            DagsterEvent(
                dg.DagsterEventType.ASSET_MATERIALIZATION.value,
                "annotate_job",
                step_key="annotate",
                event_specific_data=StepMaterializationData(
                    dg.AssetMaterialization(asset_key, partition=key, tags={"dagster/data_version": key})
                ),
            ),
        )
        for key in keys
    ]


def planned(run_id: str, asset_key: dg.AssetKey, keys: Iterable[str]) -> list[dg.EventLogEntry]:
    return [
        entry(
            run_id,
            DagsterEvent.build_asset_materialization_planned_event(
                "annotate_job", "annotate", AssetMaterializationPlannedData(asset_key, partition=key)
            ),
        )
        for key in keys
    ]


def entry(run_id: str, event: DagsterEvent) -> dg.EventLogEntry:
    return dg.EventLogEntry(None, "DEBUG", "", run_id, time.time(), "annotate", "annotate_job", event)


Planned = Iterable[tuple[dg.AssetKey, list[str]]]
Report = Callable[[dg.AssetExecutionContext, Planned, Iterable[dg.AssetMaterialization]], None]
"""Writes what is planned, then what was materialized; the ways to do it are what the tests compare."""


def report_as_dagster_does(
    context: dg.AssetExecutionContext, planned: Planned, materializations: Iterable[dg.AssetMaterialization]
) -> None:
    for asset_key, partition_keys in planned:
        for key in partition_keys:
            event = DagsterEvent.build_asset_materialization_planned_event(
                context.job_name,
                context.get_step_execution_context().step.key,
                AssetMaterializationPlannedData(asset_key, partition=key),
            )
            context.instance.report_dagster_event(event, context.run_id, log_level="DEBUG")
    for materialization in materializations:
        context.log_event(materialization)


def report_with_emitter(
    context: dg.AssetExecutionContext, planned: Planned, materializations: Iterable[dg.AssetMaterialization]
) -> None:
    with BatchEmitter.from_context(context) as emitter:
        for asset_key, partition_keys in planned:
            emitter.planned(asset_key, partition_keys)
        for materialization in materializations:
            emitter.materialized(materialization)


def annotate_asset(report: Report, bad: set[str]) -> dg.AssetsDefinition:
    """Two partitioned outputs that are reported one by one, and an unpartitioned one that is yielded."""

    @dg.multi_asset(
        name="annotate",
        specs=[
            dg.AssetSpec(EXPRESSIONS, partitions_def=SAMPLES, skippable=True),
            dg.AssetSpec(GROUNDINGS, partitions_def=SAMPLES, skippable=True, deps=[EXPRESSIONS]),
            dg.AssetSpec(SUMMARY, skippable=True, deps=[EXPRESSIONS, GROUNDINGS], code_version="1"),
        ],
        can_subset=True,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def annotate(context: dg.AssetExecutionContext):
        ranged = context.has_partition_key or context.has_partition_key_range
        keys = context.partition_keys if ranged else context.instance.get_dynamic_partitions(PARTITION_SET)
        planned = [] if ranged else [(EXPRESSIONS, list(keys)), (GROUNDINGS, list(keys))]

        def materializations():
            for position, key in enumerate(keys):
                tags = {"dagster/data_version": f"v{position}", "not/indexed": "x"}
                yield dg.AssetMaterialization(EXPRESSIONS, partition=key, metadata={"n": position}, tags=tags)
                if key not in bad:
                    yield dg.AssetMaterialization(GROUNDINGS, description=f"boxes of {key}", partition=key)

        report(context, planned, materializations())
        if SUMMARY in context.selected_asset_keys:
            # Dagster's default version is a hash over the run's id.
            yield dg.MaterializeResult(asset_key=SUMMARY, data_version=dg.DataVersion("1"))
        if bad & set(keys):
            raise dg.Failure("some samples failed", allow_retries=False)

    return annotate


def status(instance: dg.DagsterInstance, asset_key: dg.AssetKey) -> dict[str, set[str]]:
    """Partition keys by status, as the UI computes it; what is in none of the sets is missing."""
    with partition_loading_context(dynamic_partitions_store=instance):
        cache = get_and_update_asset_status_cache_value(instance, asset_key, SAMPLES)
        if cache is None:
            return {}
        return {
            "materialized": set(
                cache.deserialize_materialized_partition_subsets(SAMPLES).get_partition_keys()
            ),
            "failed": set(cache.deserialize_failed_partition_subsets(SAMPLES).get_partition_keys()),
            "in_progress": set(cache.deserialize_in_progress_partition_subsets(SAMPLES).get_partition_keys()),
        }


def knowledge(instance: dg.DagsterInstance) -> dict[str, Any]:
    """All that pages and sensors read of assets and runs, with ids of runs and processes and times taken out."""
    runs = {run.run_id: f"run {i}" for i, run in enumerate(reversed(instance.get_runs()))}
    return {
        "runs": {name: _run_knowledge(instance, run_id) for run_id, name in runs.items()},
        "assets": {
            key.to_user_string(): _asset_knowledge(instance, key, runs)
            for key in (EXPRESSIONS, GROUNDINGS, SUMMARY)
        },
    }


def _run_knowledge(instance: dg.DagsterInstance, run_id: str) -> dict[str, Any]:
    entries = [record.event_log_entry for record in instance.get_records_for_run(run_id).records]
    stats = instance.get_run_stats(run_id)
    return {
        "asset_events": [
            _plain(e, {run_id: "run"}) for e in entries if e.dagster_event_type in ASSET_EVENT_TYPES
        ],
        "other_events": [
            e.dagster_event_type for e in entries if e.dagster_event_type not in ASSET_EVENT_TYPES
        ],
        "materializations": stats.materializations,
        "step_materializations": [
            len(step.materialization_events) for step in instance.get_run_step_stats(run_id)
        ],
        "partitions": instance.get_asset_partitions_for_run(run_id),
    }


def _asset_knowledge(instance: dg.DagsterInstance, key: dg.AssetKey, runs: dict[str, str]) -> dict[str, Any]:
    record = next(iter(instance.get_asset_records([key])), None)
    newest_planned = instance.get_latest_planned_materialization_info(key)
    planned = instance.event_log_storage.get_event_records(
        dg.EventRecordsFilter(dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED, key)
    )
    latest = instance.get_latest_materialization_event(key)
    events = instance.fetch_materializations(key, limit=1000, ascending=True).records
    last = record.asset_entry.last_materialization_record if record else None
    return {
        "status": status(instance, key) if key != SUMMARY else None,
        "exists": instance.has_asset_key(key),
        "last_run": runs[str(record.asset_entry.last_run_id)] if record else None,
        "last_event": _plain(last.event_log_entry, runs) if last else None,
        "last_event_is_newest": last.storage_id == events[-1].storage_id if last else None,
        "latest": _plain(latest, runs) if latest else None,
        "planned": [(runs[event.run_id], event.partition_key) for event in planned],
        "newest_planned": runs[newest_planned.run_id] if newest_planned else None,
        "events": [_plain(event.event_log_entry, runs) for event in events],
        "of_one_partition": [
            _plain(e.event_log_entry, runs)
            for e in instance.fetch_materializations(
                dg.AssetRecordsFilter(key, asset_partitions=["s01"]), limit=1000
            ).records
        ],
        "latest_by_partition": set(
            instance.event_log_storage.get_latest_storage_id_by_partition(
                key, dg.DagsterEventType.ASSET_MATERIALIZATION
            )
        ),
        "tags": sorted(map(json.dumps, instance.get_event_tags_for_asset(key))),
        "tags_of_one": instance.get_event_tags_for_asset(key, filter_event_id=events[0].storage_id)
        if events
        else [],
    }


def _plain(entry: dg.EventLogEntry, runs: dict[str, str]) -> dict[str, Any]:
    text = entry.to_json()
    for run_id, name in runs.items():
        text = text.replace(run_id, name)
    plain = json.loads(text)
    del plain["timestamp"]
    plain["dagster_event"]["pid"] = plain["dagster_event"]["pid"] is not None
    return plain

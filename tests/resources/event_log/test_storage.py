"""Groups of events in SQLite: whole or not at all, whatever else is using the files."""

import itertools
import os
import sqlite3
import threading
from contextlib import closing
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import DagsterEvent, EngineEventData
from sqlalchemy.exc import OperationalError

from resources.event_log.asset_events import BATCH_SIZE
from tests import forked
from tests.resources.event_log.support import (
    EXPRESSIONS,
    GROUNDINGS,
    PARTITION_SET,
    add_run,
    batched_instance,
    count_events,
    entry,
    materializations,
    planned,
    rows,
    shard,
    status,
    stock_instance,
)
from tests.resources.event_log.writer_process import write


def start_writer(mode: str, folder: Path, run_id: str) -> tuple[BaseProcess, Connection]:
    ours, theirs = Pipe()
    process = forked.process(write, mode, folder, run_id, theirs)
    theirs.close()
    return process, ours


def mixed_events() -> list[dg.EventLogEntry]:
    """Two runs, two assets, both types and one event of another kind, in an order that matters."""
    between = DagsterEvent(
        dg.DagsterEventType.ENGINE_EVENT.value, "annotate_job", event_specific_data=EngineEventData()
    )
    return [
        *planned("one", EXPRESSIONS, ["a", "b", "c"]),
        *materializations("one", EXPRESSIONS, ["a", "b"]),
        *planned("two", EXPRESSIONS, ["b"]),
        *planned("two", GROUNDINGS, ["a"]),
        entry("one", between),
        *materializations("two", GROUNDINGS, ["a", "b"]),
        *materializations("one", GROUNDINGS, ["c"]),
        *planned("two", GROUNDINGS, ["b"]),
    ]


INDEX_TABLES = {
    "event_logs": "id, run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition",
    "asset_keys": "id, asset_key, last_materialization, last_run_id, asset_details, wipe_timestamp,"
    " last_materialization_timestamp, tags, cached_status_data",
    "asset_event_tags": "id, event_id, asset_key, key, value, event_timestamp",
}


def test_a_mixed_group_writes_the_same_rows_as_its_events_one_by_one(tmp_path: Path) -> None:
    events = mixed_events()
    with batched_instance(tmp_path / "batched") as batched, stock_instance(tmp_path / "stock") as stock:
        batched.event_log_storage.store_event_batch(events)
        for event in events:
            stock.event_log_storage.store_event(event)
    batched_dir, stock_dir = (tmp_path / name / "history" / "runs" for name in ("batched", "stock"))
    for table, columns in INDEX_TABLES.items():
        query = f"SELECT {columns} FROM {table} ORDER BY id"
        assert rows(batched_dir / "index.db", query) == rows(stock_dir / "index.db", query)
    assert len(rows(stock_dir / "index.db", "SELECT * FROM asset_event_tags")) == 5
    for run_id in ("one", "two"):
        query = f"SELECT {INDEX_TABLES['event_logs']} FROM event_logs ORDER BY id"
        assert rows(batched_dir / f"{run_id}.db", query) == rows(stock_dir / f"{run_id}.db", query)
    assert count_events(stock_dir / "one.db") == 7


def test_dagster_groups_the_planned_events_of_a_range_in_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_EVENT_BATCH_SIZE", raising=False)
    with batched_instance(tmp_path):
        assert os.environ["DAGSTER_EVENT_BATCH_SIZE"] == str(BATCH_SIZE)
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "7")
    with batched_instance(tmp_path):
        assert os.environ["DAGSTER_EVENT_BATCH_SIZE"] == "7"


def test_an_empty_group_is_nothing(tmp_path: Path) -> None:
    with batched_instance(tmp_path) as instance:
        instance.event_log_storage.store_event_batch([])
        assert count_events(shard(instance, "index")) == 0


def test_a_locked_database_gets_nothing_of_a_group(tmp_path: Path) -> None:
    with batched_instance(tmp_path, busy_timeout_s=1) as instance:
        instance.event_log_storage.store_event_batch(materializations("one", EXPRESSIONS, ["before"]))
        with closing(sqlite3.connect(shard(instance, "index"))) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(OperationalError, match="database is locked"):
                instance.event_log_storage.store_event_batch(materializations("one", EXPRESSIONS, ["x", "y"]))
        assert count_events(shard(instance, "index")) == count_events(shard(instance, "one")) == 1
        instance.event_log_storage.store_event_batch(materializations("one", EXPRESSIONS, ["x", "y"]))
        assert count_events(shard(instance, "index")) == count_events(shard(instance, "one")) == 3


def test_a_run_that_is_watched_shows_every_event_of_a_group(tmp_path: Path) -> None:
    with batched_instance(tmp_path) as instance:
        seen, complete = [], threading.Event()

        def saw(event: dg.EventLogEntry, _cursor: str) -> None:
            seen.append(event.get_dagster_event().partition)
            if len(seen) == 40:
                complete.set()

        instance.event_log_storage.store_event_batch(materializations("one", EXPRESSIONS, ["first"]))
        cursor = instance.get_records_for_run("one").cursor
        instance.watch_event_logs("one", cursor, saw)
        keys = [f"s{i}" for i in range(40)]
        instance.event_log_storage.store_event_batch(materializations("one", EXPRESSIONS, keys))
        assert complete.wait(30)
        assert seen == keys


def test_kill_in_the_middle_of_a_group_leaves_whole_groups(tmp_path: Path) -> None:
    group, written = 50, {}
    for run_id, groups_before_the_kill in zip("abc", itertools.count(1)):
        writer, sent = start_writer("batches", tmp_path, run_id)
        for _ in range(groups_before_the_kill):
            written[run_id] = sent.recv()
        writer.kill()
        writer.join()

    with batched_instance(tmp_path) as instance:
        index = shard(instance, "index")
        assert rows(index, "PRAGMA integrity_check") == [("ok",)]
        for run_id, groups in written.items():
            in_run = count_events(shard(instance, run_id))
            in_index = count_events(index, f"run_id = '{run_id}'")
            assert rows(shard(instance, run_id), "PRAGMA integrity_check") == [("ok",)]
            assert in_run % group == in_index % group == 0
            assert groups * group <= in_index <= in_run <= in_index + group
        in_index = count_events(index)
        assert rows(index, "SELECT count(*) FROM asset_event_tags") == [(in_index,)]
        latest = instance.get_asset_records([EXPRESSIONS])[0].asset_entry.last_materialization_storage_id
        assert rows(index, "SELECT max(id) FROM event_logs") == [(latest,)]
        instance.add_dynamic_partitions(
            PARTITION_SET, [partition for (partition,) in rows(index, "SELECT partition FROM event_logs")]
        )
        assert len(status(instance, EXPRESSIONS)["materialized"]) == in_index


def test_two_processes_and_a_reader_at_once(tmp_path: Path) -> None:
    keys = [f"{run_id}-{i}" for run_id in ("one", "two") for i in range(300)]
    with batched_instance(tmp_path) as instance:
        instance.add_dynamic_partitions(PARTITION_SET, keys)
        for run_id in ("one", "two"):
            add_run(instance, run_id, dg.DagsterRunStatus.STARTED)
        writers = [start_writer("emitter", tmp_path, run_id)[0] for run_id in ("one", "two")]
        readings = []
        while any(writer.is_alive() for writer in writers):
            readings.append(status(instance, EXPRESSIONS))
        assert [writer.exitcode for writer in writers] == [0, 0]
        sizes = [len(reading.get("materialized", ())) for reading in readings]
        assert sizes == sorted(sizes)
        assert status(instance, EXPRESSIONS) == {
            "materialized": set(keys),
            "failed": set(),
            "in_progress": set(),
        }
        assert count_events(shard(instance, "one")) == count_events(shard(instance, "two")) == 600
        assert count_events(shard(instance, "index")) == 1200


def test_a_full_disk_gives_a_message_and_keeps_whole_groups(tmp_path: Path) -> None:
    writer, sent = start_writer("full", tmp_path, "one")
    message = sent.recv()
    writer.join()
    assert "could not be written" in message
    assert "run again" in message
    with batched_instance(tmp_path) as instance:
        in_index, in_run = count_events(shard(instance, "index")), count_events(shard(instance, "one"))
        assert in_index % 50 == in_run % 50 == 0
        assert in_index <= in_run < 5000
        assert rows(shard(instance, "index"), "PRAGMA integrity_check") == [("ok",)]

"""The emitter: never in the way of the op, never silent about an event that was not written."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest

from grounding_assets.core.errors import RunStopped
from resources.event_log import BatchEmitter
from tests.resources.event_log.support import (
    EXPRESSIONS,
    batched_instance,
    count_events,
    origin,
    rows,
    shard,
    stock_instance,
)


def materialization(partition_key: str) -> dg.AssetMaterialization:
    return dg.AssetMaterialization(EXPRESSIONS, partition=partition_key)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with batched_instance(tmp_path) as instance:
        yield instance


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """Gives up on a locked database after a second; its run shard exists already."""
    with batched_instance(tmp_path, busy_timeout_s=1) as instance:
        yield instance


def test_close_writes_all_in_order(instance: dg.DagsterInstance) -> None:
    keys = [f"s{i}" for i in range(1234)]
    emitter = BatchEmitter(instance, origin("one"), batch_size=100, max_age_s=60)
    for key in keys:
        emitter.materialized(materialization(key))
    emitter.close()
    emitter.close()
    assert rows(shard(instance, "index"), "SELECT partition FROM event_logs ORDER BY id") == [
        (key,) for key in keys
    ]
    assert count_events(shard(instance, "one")) == 1234
    with pytest.raises(RuntimeError, match="after the emitter was closed"):
        emitter.materialized(materialization("late"))


def test_a_lone_event_is_written_when_it_is_old_enough(instance: dg.DagsterInstance) -> None:
    stored = threading.Event()
    instance.add_event_listener("one", lambda _event: stored.set())
    with BatchEmitter(instance, origin("one"), max_age_s=0.05) as emitter:
        emitter.materialized(materialization("s0"))
        assert stored.wait(30)
        assert count_events(shard(instance, "index")) == 1


def test_an_event_carries_the_time_of_its_report(instance: dg.DagsterInstance) -> None:
    with BatchEmitter(instance, origin("one"), max_age_s=60) as emitter:
        for key in ("s0", "s1", "s2"):
            emitter.materialized(materialization(key))
    entries = [record.event_log_entry for record in instance.get_records_for_run("one").records]
    times = [entry.timestamp for entry in entries]
    assert times == sorted(set(times))
    assert {(entry.run_id, entry.job_name, entry.step_key) for entry in entries} == {
        ("one", "annotate_job", "annotate")
    }


def test_a_locked_database_does_not_hold_up_the_event_loop(instance: dg.DagsterInstance) -> None:
    keys = [f"s{i}" for i in range(300)]

    async def report_all(emitter: BatchEmitter) -> None:
        for key in keys:
            emitter.materialized(materialization(key))
            await asyncio.sleep(0)

    with closing(sqlite3.connect(shard(instance, "index"))) as other:
        other.execute("BEGIN IMMEDIATE")
        emitter = BatchEmitter(instance, origin("one"), batch_size=50, max_age_s=0.01)
        asyncio.run(report_all(emitter))
        assert count_events(shard(instance, "index")) == 0
        other.rollback()
    emitter.close()
    assert count_events(shard(instance, "index")) == count_events(shard(instance, "one")) == 300


def test_close_tells_of_events_that_were_not_written(impatient: dg.DagsterInstance) -> None:
    emitter = BatchEmitter(impatient, origin("one"))
    with closing(sqlite3.connect(shard(impatient, "index"))) as other:
        other.execute("BEGIN IMMEDIATE")
        emitter.planned(EXPRESSIONS, ["s0", "s1"])
        with pytest.raises(RunStopped, match=r"history/runs .*database is locked.* 2 events are missing"):
            emitter.close()
    assert count_events(shard(impatient, "index")) == 0


def test_the_next_report_tells_of_events_that_were_not_written(impatient: dg.DagsterInstance) -> None:
    with closing(sqlite3.connect(shard(impatient, "index"))) as other:
        other.execute("BEGIN IMMEDIATE")
        emitter = BatchEmitter(impatient, origin("one"), batch_size=5, capacity=20)
        with pytest.raises(RunStopped, match="database is locked"):
            emitter.planned(EXPRESSIONS, (f"s{i}" for i in range(1000)))
        with pytest.raises(RunStopped, match="database is locked"):
            emitter.materialized(materialization("s0"))
        with pytest.raises(RunStopped, match="events are missing"):
            emitter.close()


def test_a_corrupt_database_is_named(instance: dg.DagsterInstance) -> None:
    emitter = BatchEmitter(instance, origin("one"))
    shard(instance, "index").write_bytes(b"no database" * 1000)
    emitter.materialized(materialization("s0"))
    with pytest.raises(RunStopped, match="not a database"):
        emitter.close()


def test_an_error_of_the_op_keeps_its_own_and_the_emitters_message(impatient: dg.DagsterInstance) -> None:
    with closing(sqlite3.connect(shard(impatient, "index"))) as other:
        other.execute("BEGIN IMMEDIATE")
        with (
            pytest.raises(ValueError, match="of the op") as raised,
            BatchEmitter(impatient, origin("one")) as emitter,
        ):
            emitter.materialized(materialization("s0"))
            raise ValueError("of the op")
    assert "1 events are missing" in raised.value.__notes__[0]


def test_an_error_of_the_op_does_not_lose_what_was_reported_before(instance: dg.DagsterInstance) -> None:
    with pytest.raises(ValueError), BatchEmitter(instance, origin("one"), max_age_s=60) as emitter:
        emitter.materialized(materialization("s0"))
        raise ValueError
    assert count_events(shard(instance, "index")) == 1


def test_more_than_the_capacity_is_written_by_waiting(instance: dg.DagsterInstance) -> None:
    with BatchEmitter(instance, origin("one"), batch_size=10, capacity=20) as emitter:
        emitter.planned(EXPRESSIONS, (f"s{i}" for i in range(500)))
    assert count_events(shard(instance, "index")) == 500


def test_threads_may_report_together(instance: dg.DagsterInstance) -> None:
    with BatchEmitter(instance, origin("one"), batch_size=7, capacity=14) as emitter:
        threads = [
            threading.Thread(target=emitter.planned, args=(EXPRESSIONS, [f"{n}-{i}" for i in range(100)]))
            for n in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    distinct = rows(shard(instance, "index"), "SELECT count(DISTINCT partition) FROM event_logs")
    assert distinct == [(400,)]


def test_other_storages_have_each_event_when_the_call_returns(tmp_path: Path) -> None:
    for instance in (stock_instance(tmp_path), dg.DagsterInstance.ephemeral()):
        with instance, BatchEmitter(instance, origin("one")) as emitter:
            emitter.planned(EXPRESSIONS, ["s0"])
            emitter.materialized(materialization("s0"))
            types = [
                r.event_log_entry.dagster_event_type for r in instance.get_records_for_run("one").records
            ]
            assert types == [
                dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
                dg.DagsterEventType.ASSET_MATERIALIZATION,
            ]


def test_other_storages_name_their_failure_too(tmp_path: Path) -> None:
    with stock_instance(tmp_path) as instance, BatchEmitter(instance, origin("one")) as emitter:
        (tmp_path / "history" / "runs" / "index.db").write_bytes(b"no database" * 1000)
        with pytest.raises(RunStopped, match=r"SqliteEventLogStorage .*not a database"):
            emitter.materialized(materialization("s0"))

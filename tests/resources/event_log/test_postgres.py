"""Groups of events in PostgreSQL: one transaction, the status that Dagster's own way leaves, no key lost."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as db
from sqlalchemy.pool import NullPool

from grounding_assets.core.errors import RunStopped
from grounding_assets.partitions import DataSetKeys, register_samples
from resources.event_log import BatchEmitter, delete_partitions
from resources.event_log.postgres_troubles import database_errors
from tests.postgres import PASSWORD, PostgresServer
from tests.resources.event_log.support import (
    EXPRESSIONS,
    GROUNDINGS,
    PARTITION_SET,
    knowledge,
    materializations,
    origin,
    planned,
    report_with_emitter,
    status,
)
from tests.resources.event_log.three_runs import run_three_times
from tests.storages import postgres_instance

_PATIENCE_S = 60.0


@pytest.fixture
def database(postgres: PostgresServer) -> str:
    return postgres.new_database()


@pytest.fixture
def instance(tmp_path: Path, postgres: PostgresServer, database: str) -> Iterator[dg.DagsterInstance]:
    with postgres_instance(tmp_path, postgres, database) as instance:
        yield instance


def test_groups_leave_what_dagsters_own_way_leaves(
    instance: dg.DagsterInstance, expected: dict[str, Any]
) -> None:
    run_three_times(instance, report_with_emitter)
    assert knowledge(instance) == expected["written"]
    instance.wipe_assets([GROUNDINGS])
    assert knowledge(instance) == expected["wiped"]


def test_groups_on_dagsters_own_storage(
    tmp_path: Path, postgres: PostgresServer, expected: dict[str, Any]
) -> None:
    """The events of a run lie there by asset; whatever is asked of one asset is as it should be."""
    with postgres_instance(tmp_path, postgres, stock=True) as instance:
        run_three_times(instance, report_with_emitter)
        known = knowledge(instance)
    assert known["assets"] == expected["written"]["assets"]


@contextmanager
def tags_locked(postgres: PostgresServer, database: str) -> Iterator[None]:
    """Who writes events with tags stops after their ids were given, and before the commit."""
    engine = db.create_engine(postgres.url(database), poolclass=NullPool)
    with engine.connect() as connection, connection.begin():
        connection.exec_driver_sql("LOCK TABLE asset_event_tags IN EXCLUSIVE MODE")
        yield


def waiting(postgres: PostgresServer, database: str) -> int:
    """How many connections to the database wait for a lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    engine = db.create_engine(postgres.url(database), poolclass=NullPool)
    with engine.connect() as connection:
        return connection.exec_driver_sql(query).scalar_one()


def until(condition: Callable[[], bool], what: str) -> None:
    for _ in range(int(_PATIENCE_S * 50)):
        if condition():
            return
        threading.Event().wait(0.02)
    raise AssertionError(f"{what}: not within {_PATIENCE_S:g} s")


Write = Callable[[dg.DagsterInstance], None]


def _batch_of_another_run(instance: dg.DagsterInstance) -> None:
    untagged = [dg.AssetMaterialization(EXPRESSIONS, partition=key) for key in ("b1", "b2")]
    with BatchEmitter(instance, origin("two")) as emitter:
        for materialization in untagged:
            emitter.materialized(materialization)


def _a_run_that_is_created(instance: dg.DagsterInstance) -> None:
    for entry in planned("two", EXPRESSIONS, ["b1", "b2"]):
        instance.event_log_storage.store_event(entry)


@pytest.mark.parametrize(
    ("write_meanwhile", "materialized"),
    [(_batch_of_another_run, {"a1", "a2", "b1", "b2"}), (_a_run_that_is_created, {"a1", "a2"})],
)
def test_a_status_asked_for_between_ids_and_commit_loses_no_key(
    instance: dg.DagsterInstance,
    tmp_path: Path,
    postgres: PostgresServer,
    database: str,
    write_meanwhile: Write,
    materialized: set[str],
) -> None:
    instance.add_dynamic_partitions(PARTITION_SET, ["first", "a1", "a2", "b1", "b2"])
    instance.event_log_storage.store_event_batch(materializations("zero", EXPRESSIONS, ["first"]))
    group = materializations("one", EXPRESSIONS, ["a1", "a2"])
    with (
        postgres_instance(tmp_path, postgres, database) as other,
        ThreadPoolExecutor(2) as threads,
    ):
        with tags_locked(postgres, database):
            slow = threads.submit(instance.event_log_storage.store_event_batch, group)
            until(lambda: waiting(postgres, database) == 1, "the group waits after its ids were given")
            meanwhile = threads.submit(write_meanwhile, other)
            until(lambda: meanwhile.done() or waiting(postgres, database) == 2, "the other has gone or waits")
            assert status(other, EXPRESSIONS)["materialized"] == {"first"}
        slow.result(_PATIENCE_S)
        meanwhile.result(_PATIENCE_S)
        assert status(other, EXPRESSIONS)["materialized"] == {"first", *materialized}


def test_a_group_is_written_whole_or_not_at_all(
    instance: dg.DagsterInstance, postgres: PostgresServer, database: str
) -> None:
    group: Sequence[dg.EventLogEntry] = materializations("one", EXPRESSIONS, ["a1", "a2"])
    postgres.execute("ALTER TABLE asset_event_tags RENAME TO away", database)
    postgres.execute("CREATE TABLE asset_event_tags (id int)", database)
    emitter = BatchEmitter(instance, origin("one"))
    for entry in group:
        emitter.materialized(entry.get_dagster_event().step_materialization_data.materialization)
    with pytest.raises(RunStopped, match=rf"2 events could not .*127\.0\.0\.1:{postgres.port}") as raised:
        emitter.close()
    assert PASSWORD not in str(raised.value)
    assert not instance.get_records_for_run("one").records


def test_planned_events_of_many_partitions_come_in_order(instance: dg.DagsterInstance) -> None:
    keys = [f"s{number:04d}" for number in range(600)]
    instance.event_log_storage.store_event_batch(planned("one", EXPRESSIONS, keys))
    entries = [record.event_log_entry for record in instance.get_records_for_run("one").records]
    assert [entry.get_dagster_event().partition for entry in entries] == keys


def test_the_named_partitions_are_removed_and_no_others(instance: dg.DagsterInstance) -> None:
    keys = [f"s{number}" for number in range(9)]
    for name in (PARTITION_SET, "other/samples"):
        instance.add_dynamic_partitions(name, keys)
    delete_partitions(instance, PARTITION_SET, [*keys[:1], *keys[2:], "unknown"])
    assert list(instance.get_dynamic_partitions(PARTITION_SET)) == keys[1:2]
    assert list(instance.get_dynamic_partitions("other/samples")) == keys


def test_removing_goes_on_after_the_database_was_away(
    instance: dg.DagsterInstance, postgres: PostgresServer
) -> None:
    """It stops between two chunks: what was removed stays removed, and the next run removes the rest."""
    keys = [f"s{number:05d}" for number in range(10_003)]
    instance.add_dynamic_partitions(PARTITION_SET, keys)

    def stopping() -> Iterator[str]:
        yield from keys[:10_000]
        postgres.stop()
        yield from keys[10_000:10_002]

    try:
        with pytest.raises(database_errors()):
            delete_partitions(instance, PARTITION_SET, stopping())
    finally:
        postgres.start()
    assert list(instance.get_dynamic_partitions(PARTITION_SET)) == keys[10_000:]
    added, removed = register_samples(instance, DataSetKeys("demo"), keys[10_002:])
    assert (added, removed) == (0, 2)
    assert list(instance.get_dynamic_partitions(PARTITION_SET)) == keys[10_002:]

"""SQLite storages for `dagster.yaml` that write asset events in one transaction per group.

Same files, tables and rows as Dagster's own SQLite storage, so either may open what the other wrote.
Reading, schedules and runs stay with Dagster; what is put into the log belongs to the emitter.
"""

import os
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import sqlalchemy as db
from dagster import Field, IntSource, StringSource
from dagster._config.config_schema import UserConfigSchema
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import create_engine
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import NullPool

from resources.event_log.asset_events import (
    GroupingEventLogStorage,
    group_planned_events,
    positions_that_last,
)

_KEPT_ENGINES = 4
_OF_THE_SET = "FROM dynamic_partitions WHERE partitions_def_name = ?"
_STATE_OF_PARTITIONS = f"SELECT COUNT(*), MAX(id), MAX(create_timestamp) {_OF_THE_SET}"
_PARTITIONS = f"SELECT partition {_OF_THE_SET} ORDER BY id"

_CONFIG: UserConfigSchema = {
    "base_dir": Field(
        StringSource,
        description="Folder of the databases; a relative one starts at the folder of dagster.yaml.",
    ),
    "busy_timeout_s": Field(
        IntSource,
        default_value=SQLITE_BUSY_TIMEOUT_SECONDS,
        description="Seconds to wait for another process that is writing before giving up.",
    ),
}


class BatchedSqliteEventLogStorage(GroupingEventLogStorage, SqliteEventLogStorage):
    """Dagster's SQLite event log with a `store_event_batch` that really is one.

    Constructing it also calls `group_planned_events`.
    """

    def __init__(
        self,
        base_dir: str,
        busy_timeout_s: int = SQLITE_BUSY_TIMEOUT_SECONDS,
        inst_data: ConfigurableClassData | None = None,
    ):
        self._busy_timeout_ms = busy_timeout_s * 1000
        super().__init__(base_dir, inst_data)
        # Reentrant, because a batch holds the index and the run shards open together.
        self._db_lock = threading.RLock()
        self._engines: dict[str, Engine] = {}
        self._partitions: dict[str, tuple[Any, Sequence[str]]] = {}
        """By name of the set: (state in which they were read, keys)."""
        group_planned_events()

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        return _CONFIG

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> Self:
        return cls(**_with_absolute_base_dir(config_value), inst_data=inst_data)

    @property
    def place(self) -> str:
        """Absolute folder of `index.db` and of one database a run."""
        return self._base_dir

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        """As Dagster's own, but with an engine that is kept for each of the last databases.

        One for every connection is garbage in cycles, whose collection runs code of SQLAlchemy's wherever it falls:
        a signal that comes then is lost.
        """
        with self._db_lock:
            engine = self._engines.get(shard)
            if engine is None:
                with super()._connect(shard):
                    # now it is there, and has its tables
                    pass
                engine = create_engine(self.conn_string_for_shard(shard), poolclass=NullPool)
                while len(self._engines) >= _KEPT_ENGINES:
                    self._engines.pop(next(iter(self._engines)))
                self._engines[shard] = engine
            with engine.connect() as connection, connection.begin():
                connection.exec_driver_sql(f"PRAGMA busy_timeout = {self._busy_timeout_ms}").close()
                yield connection

    def get_dynamic_partitions(self, partitions_def_name: str) -> Sequence[str]:
        """As Dagster's own, but read again only after partitions were added or removed.

        A page of the web UI asks for them in four queries at once, and a run in seven places: half a second
        each at 100,000, during which the lock keeps every other query waiting.
        """
        self._check_partitions_table()
        with self.index_connection() as connection:
            # a number may come again after the last row was deleted, but not with an older time
            state = connection.exec_driver_sql(_STATE_OF_PARTITIONS, (partitions_def_name,)).one()
            known = self._partitions.get(partitions_def_name)
            if known is None or known[0] != state:
                keys = connection.exec_driver_sql(_PARTITIONS, (partitions_def_name,)).scalars().all()
                known = self._partitions[partitions_def_name] = state, keys
        return list(known[1])

    def store_asset_events(self, events: Sequence[EventLogEntry]) -> None:
        """The run shards are committed first and the index, which every status is read from, last.

        Raises `sqlalchemy.exc.OperationalError` if another process holds a database for longer than the
        busy timeout, or the disk is full.
        """
        rows = [*map(self.row_of, events)]
        rows_by_run: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in rows:
            rows_by_run[row["run_id"]].append(row)

        with ExitStack() as transactions:
            index = transactions.enter_context(self.index_connection())
            # Every writer locks run shards in this order and the index after them, so none waits in a circle.
            for run_id in sorted(rows_by_run):
                run = transactions.enter_context(self.run_connection(run_id))
                run.execute(SqlEventLogStorageTable.insert(), rows_by_run[run_id])
            index.execute(SqlEventLogStorageTable.insert(), rows)
            # SQLite gives each new row the largest id plus one (https://sqlite.org/autoinc.html), and this
            # transaction is the only writer.
            last_id = index.execute(db.select(db.func.max(SqlEventLogStorageTable.c.id))).scalar_one()
            event_ids = range(last_id - len(rows) + 1, last_id + 1)
            self._store_asset_event_tags(index, events, event_ids)
            for position in positions_that_last(rows):
                self._store_asset_event(index, events[position], event_ids[position])


class BatchedSqliteStorage(DagsterSqliteStorage):
    """Dagster's SQLite storage for runs, events and schedules, with the event log above.

    In `dagster.yaml`, in place of `storage: {sqlite: …}`:

        storage:
          custom:
            module: resources.event_log
            class: BatchedSqliteStorage
            config:
              base_dir: .dagster
    """

    def __init__(
        self,
        base_dir: str,
        busy_timeout_s: int = SQLITE_BUSY_TIMEOUT_SECONDS,
        inst_data: ConfigurableClassData | None = None,
    ):
        super().__init__(base_dir, inst_data)
        event_log_dir = str(Path(base_dir) / "history" / "runs")
        self._event_log_storage = BatchedSqliteEventLogStorage(event_log_dir, busy_timeout_s)

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        return _CONFIG

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> Self:
        return cls(**_with_absolute_base_dir(config_value), inst_data=inst_data)


def _with_absolute_base_dir(config: dict[str, Any]) -> dict[str, Any]:
    """Dagster reads `dagster.yaml` in `DAGSTER_HOME` or, where that is not set, in the working directory."""
    folder = Path(os.environ.get("DAGSTER_HOME") or Path.cwd()).expanduser()
    return {**config, "base_dir": str(folder / config["base_dir"])}

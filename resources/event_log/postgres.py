"""PostgreSQL storages for `dagster.yaml` that write asset events in one transaction per group.

Same tables and rows as Dagster's own, so either may open what the other wrote; runs and schedules stay with
Dagster. Needs the extra `postgres`, and is imported only where `dagster.yaml` names it.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import sqlalchemy as db
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._serdes import ConfigurableClassData
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from resources.event_log.asset_events import (
    GroupingEventLogStorage,
    group_planned_events,
    is_asset_event,
    positions_that_last,
)
from resources.event_log.postgres_troubles import (
    DatabaseUnusable,
    StorageTrouble,
    database_url,
    place_of,
    reason_of,
)

try:
    from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage
    from dagster_postgres.utils import create_pg_engine, get_token_provider_from_config, pg_url_from_config
except ModuleNotFoundError:
    raise StorageTrouble(
        "dagster.yaml keeps Dagster's events in PostgreSQL, whose driver is not installed: "
        "pip install 'grounding-assets[postgres]'."
    ) from None

if TYPE_CHECKING:
    from dagster_postgres.auth import PgTokenProvider

_LOCKS = 0x67726E64
"""First half of the advisory locks' keys, so that they are nobody else's; the second is of the asset."""
_CONNECT_TIMEOUT_S = 10
_KEPT_S = 60
"""A connection is kept so long: routers between machines drop those that were silent for some minutes, and tell nobody."""


class BatchedPostgresEventLogStorage(GroupingEventLogStorage, PostgresEventLogStorage):
    """Dagster's PostgreSQL event log with a `store_event_batch` that takes any group of asset events.

    Constructing it also calls `group_planned_events`.

    PostgreSQL gives ids before the commit. Who asks for an asset's status in between may see a larger id than
    those that are being written, note that everything up to it is known, and show them as missing for good.
    So events of one asset are written by one connection at a time, from the first id to the commit: the order
    of ids is that of commits, and so is the order in which the asset's row is renewed.

    One connection is kept open for a minute, where Dagster opens one for each statement: that takes a tenth of the
    time of a group, part of it while others wait for their turn.
    """

    def __init__(
        self,
        postgres_url: str,
        should_autocreate_tables: bool = True,
        inst_data: ConfigurableClassData | None = None,
        token_provider: "PgTokenProvider | None" = None,
    ):
        """As Dagster's own. Raises `DatabaseUnusable` if nobody answers or lets in."""
        group_planned_events()
        postgres_url = _url_that_answers(postgres_url, token_provider)
        super().__init__(postgres_url, should_autocreate_tables, inst_data, token_provider)
        self._tables: set[str] = set()
        self._engine = create_pg_engine(
            postgres_url,
            token_provider,
            isolation_level="AUTOCOMMIT",
            pool_size=1,
            max_overflow=-1,
            pool_recycle=_KEPT_S,
            pool_pre_ping=True,
        )

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> Self:
        return cls(**_settings(config_value), inst_data=inst_data)

    def dispose(self) -> None:
        super().dispose()
        self._engine.dispose()

    def has_table(self, table_name: str) -> bool:
        """Dagster asks before it writes tags, each time, and by a connection of its own."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    @property
    def place(self) -> str:
        return place_of(database_url(self.postgres_url))

    def store_event(self, event: EventLogEntry) -> None:
        if is_asset_event(event):
            self.store_asset_events([event])
        else:
            super().store_event(event)

    def store_asset_events(self, events: Sequence[EventLogEntry]) -> None:
        rows = [*map(self.row_of, events)]
        table = SqlEventLogStorageTable
        with self.index_transaction() as connection:
            _take_turns(connection, {row["asset_key"] for row in rows})
            inserted = table.insert().returning(table.c.id, sort_by_parameter_order=True)
            event_ids = connection.execute(inserted, rows).scalars().all()
            self._store_asset_event_tags(connection, events, event_ids)
            for position in positions_that_last(rows):
                self._store_asset_event(connection, events[position], event_ids[position])


def _take_turns(connection: Connection, asset_keys: set[str]) -> None:
    """Waits until no other connection writes events of these assets, and keeps them to this one's transaction."""
    # always in the same order, so that none waits in a circle
    for key in sorted(asset_keys):
        connection.execute(
            db.text("SELECT pg_advisory_xact_lock(:locks, hashtext(:key))"), {"locks": _LOCKS, "key": key}
        )


class BatchedPostgresStorage(DagsterPostgresStorage):
    """Dagster's PostgreSQL storage for runs, events and schedules, with the event log above.

    In `dagster.yaml`, with the same settings as `storage: {postgres: …}`:

        storage:
          custom:
            module: resources.event_log.postgres
            class: BatchedPostgresStorage
            config:
              postgres_url: {env: DAGSTER_POSTGRES_URL}
    """

    def __init__(
        self,
        postgres_url: str,
        should_autocreate_tables: bool = True,
        inst_data: ConfigurableClassData | None = None,
        token_provider: "PgTokenProvider | None" = None,
    ):
        """As Dagster's own. Raises `DatabaseUnusable` if nobody answers or lets in."""
        events = BatchedPostgresEventLogStorage(
            postgres_url, should_autocreate_tables, token_provider=token_provider
        )
        super().__init__(events.postgres_url, should_autocreate_tables, inst_data, token_provider)
        self._event_log_storage = events

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> Self:
        return cls(**_settings(config_value), inst_data=inst_data)


def _settings(config_value: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "postgres_url": pg_url_from_config(config_value),
        "should_autocreate_tables": config_value.get("should_autocreate_tables", True),
        "token_provider": get_token_provider_from_config(config_value),
    }


def _url_that_answers(postgres_url: str, token_provider: "PgTokenProvider | None") -> str:
    """The URL with its driver; found out here, since Dagster would try six times and print each."""
    url = database_url(postgres_url)
    text = url.render_as_string(hide_password=False)
    timeout = {"connect_timeout": _CONNECT_TIMEOUT_S}
    engine = create_pg_engine(text, token_provider, poolclass=NullPool, connect_args=timeout)
    try:
        engine.connect().close()
    except DBAPIError as error:
        raise DatabaseUnusable(place_of(url), reason_of(error)) from None
    return text

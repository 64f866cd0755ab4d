"""What both batching storages share: which events make a group, and what of a group an asset's row keeps."""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from itertools import groupby
from typing import Any

from dagster._core.events import DagsterEventType
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log import SqlEventLogStorage

from resources.event_log.event_json import EventJson

BATCH_SIZE = 250
"""Events in one transaction. Past a few hundred, serialising them costs more than committing them."""
_ONCE_A_PARTITION = {
    kind.value
    for kind in (
        DagsterEventType.ASSET_MATERIALIZATION,
        DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
        DagsterEventType.ASSET_OBSERVATION,
    )
}


class GroupingEventLogStorage(SqlEventLogStorage):
    """An event log whose `store_event_batch` takes a mixed group: any assets, any types, in their order."""

    @property
    def place(self) -> str:
        """Where the database is, fit for a message: no password."""
        raise NotImplementedError

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Stores events in their order, each unbroken sequence of asset events as `store_asset_events` does."""
        for grouped, group in groupby(events, key=is_asset_event):
            if grouped:
                self.store_asset_events(list(group))
            else:
                for event in group:
                    self.store_event(event)

    def store_asset_events(self, events: Sequence[EventLogEntry]) -> None:
        """Stores materializations, planned ones and observations in one transaction per database: all or none."""
        raise NotImplementedError

    @cached_property
    def _json(self) -> EventJson:
        return EventJson()

    def row_of(self, entry: EventLogEntry) -> dict[str, Any]:
        """An asset event by the columns of Dagster's table, the same that it makes itself."""
        event = entry.get_dagster_event()
        return {
            "run_id": entry.run_id,
            "event": self._json.of(entry),
            "dagster_event_type": event.event_type_value,
            "timestamp": datetime.fromtimestamp(entry.timestamp, UTC).replace(tzinfo=None),
            "step_key": event.step_key,
            "asset_key": event.asset_key.to_string() if event.asset_key else None,
            "partition": event.partition or None,
        }


def group_planned_events() -> None:
    """Makes Dagster hand over the planned events of a partition range as batches in this process.

    By the environment variable `DAGSTER_EVENT_BATCH_SIZE`, kept if it is already set. Otherwise a run over 1,000
    partitions makes a transaction for each before its first step.
    """
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", str(BATCH_SIZE))


def is_asset_event(event: EventLogEntry) -> bool:
    """Whether it is of a kind that comes once a partition."""
    return event.dagster_event is not None and event.dagster_event.event_type_value in _ONCE_A_PARTITION


def positions_that_last(rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Positions, ascending, of the last event of each asset and type.

    An asset's row holds its last materialization and the run and time of its last event of either type, so
    writing these alone leaves it as writing all would.
    """
    last = {(row["asset_key"], row["dagster_event_type"]): position for position, row in enumerate(rows)}
    return sorted(last.values())

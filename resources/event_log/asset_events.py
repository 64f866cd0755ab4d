"""What both batching storages share: which events make a group, and what of a group an asset's row keeps."""

import os
from collections.abc import Sequence

from dagster._core.events import DagsterEventType
from dagster._core.events.log import EventLogEntry

BATCH_SIZE = 250
"""Events in one transaction. Past a few hundred, serialising them costs more than committing them."""


class GroupingEventLogStorage:
    """An event log whose `store_event_batch` takes a mixed group: any assets, any types, in their order."""

    @property
    def place(self) -> str:
        """Where the database is, fit for a message: no password."""
        raise NotImplementedError


def group_planned_events() -> None:
    """Makes Dagster hand over the planned events of a partition range as batches in this process.

    By the environment variable `DAGSTER_EVENT_BATCH_SIZE`, kept if it is already set. Otherwise a run over 1,000
    partitions makes a transaction for each before its first step.
    """
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", str(BATCH_SIZE))


def is_asset_event(event: EventLogEntry) -> bool:
    """Whether it is of a kind that comes once a partition."""
    return event.dagster_event_type in (
        DagsterEventType.ASSET_MATERIALIZATION,
        DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
        DagsterEventType.ASSET_OBSERVATION,
    )


def positions_that_last(events: Sequence[EventLogEntry]) -> list[int]:
    """Positions, ascending, of the last event of each asset and type.

    An asset's row holds its last materialization and the run and time of its last event of either type, so
    writing these alone leaves it as writing all would.
    """
    last = {
        (event.get_dagster_event().asset_key, event.dagster_event_type): position
        for position, event in enumerate(events)
    }
    return sorted(last.values())

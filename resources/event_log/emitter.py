"""Reports partitions as planned and materialized from inside a running op, without waiting for the database.

Says when and how events are written, never what is in them: that is the assets' part.
"""

import logging
import os
import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from types import TracebackType
from typing import Self

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetMaterialization,
    AssetObservation,
    DagsterInstance,
    OpExecutionContext,
)
from dagster._core.definitions.dependency import NodeHandle
from dagster._core.events import (
    AssetMaterializationPlannedData,
    AssetObservationData,
    DagsterEvent,
    DagsterEventType,
    StepMaterializationData,
)
from dagster._core.events.log import EventLogEntry
from dagster._core.execution.plan.handle import ResolvedFromDynamicStepHandle, StepHandle
from dagster._core.storage.event_log.base import EventLogStorage
from dagster._time import get_current_timestamp

from grounding_assets.core.errors import RunStopped
from resources.event_log.asset_events import BATCH_SIZE, GroupingEventLogStorage
from resources.event_log.postgres_troubles import database_errors, postgres_trouble, reason_of

CAPACITY = 10_000
"""Events waiting for the database, about 3 kB each: at 300 events/s more than the busy timeout's worth."""


@dataclass(frozen=True, slots=True)
class EventOrigin:
    """The step of a run that events are written for; the optional fields are what Dagster itself adds."""

    run_id: str
    job_name: str
    step_key: str
    step_handle: StepHandle | ResolvedFromDynamicStepHandle | None = None
    node_handle: NodeHandle | None = None
    step_kind: str | None = None
    logging_tags: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, context: AssetExecutionContext | OpExecutionContext) -> Self:
        """The step that `context` was made for; it must belong to a run, not to a directly invoked asset."""
        step_context = context.get_step_execution_context()
        return cls(
            run_id=step_context.run_id,
            job_name=step_context.job_name,
            step_key=step_context.step.key,
            step_handle=step_context.step.handle,
            node_handle=step_context.step.node_handle,
            step_kind=step_context.step.kind.value,
            logging_tags=step_context.event_tags,
        )


class BatchEmitter:
    """Writes events in groups on a thread of its own; if that cannot be done, one by one at once.

    Groups need a storage whose `store_event_batch` is more than Dagster's loop over single events. With any other
    each call takes Dagster's own path and returns when the event is stored.

    A context manager. Unlike `context.log_event`, nothing is printed and the events are not kept in the
    memory of the run; read them from the instance. Calls may come from any thread. They raise `RunStopped`
    once the event log could not be written; `close` raises it too, so no failure goes unnoticed. Leaving the
    context waits for the database, so that belongs outside an event loop.
    """

    def __init__(
        self,
        instance: DagsterInstance,
        origin: EventOrigin,
        *,
        batch_size: int = BATCH_SIZE,
        max_age_s: float = 1.0,
        capacity: int = CAPACITY,
    ):
        """A group is written at `batch_size` events or when its first is `max_age_s` seconds old.

        At most `capacity` events wait; one more waits outside, in the call that reports it.
        """
        self._instance = instance
        self._origin = origin
        self._batch_size = batch_size
        self._max_age_s = max_age_s
        self._capacity = capacity
        self._pending: deque[EventLogEntry] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._writer_ended = False
        self._unwritten = 0
        self._executor: ThreadPoolExecutor | None = None
        if type(instance.event_log_storage).store_event_batch is not EventLogStorage.store_event_batch:
            self._executor = ThreadPoolExecutor(1, thread_name_prefix="event-log")
            self._writing = self._executor.submit(self._write_batches)

    @classmethod
    def from_context(cls, context: AssetExecutionContext | OpExecutionContext) -> Self:
        """An emitter for the step that is running."""
        return cls(context.instance, EventOrigin.of(context))

    def materialized(self, materialization: AssetMaterialization) -> None:
        """Reports one finished partition. Returns at once unless `capacity` events are waiting."""
        message = materialization.description or f"Materialized value {materialization.label}."
        self._emit_of_step(
            DagsterEventType.ASSET_MATERIALIZATION, StepMaterializationData(materialization), message
        )

    def observed(self, observation: AssetObservation) -> None:
        """Reports what is known of one partition beside its status. Returns like `materialized`."""
        message = observation.description or f"Observed {observation.label}."
        self._emit_of_step(DagsterEventType.ASSET_OBSERVATION, AssetObservationData(observation), message)

    def planned(self, asset_key: AssetKey, partition_keys: Iterable[str]) -> None:
        """Reports that the run means to materialize these partitions: without it none can show as failed.

        Waits for the database if there are more than `capacity` of them.
        """
        for partition_key in partition_keys:
            event = DagsterEvent.build_asset_materialization_planned_event(
                self._origin.job_name,
                self._origin.step_key,
                AssetMaterializationPlannedData(asset_key, partition=partition_key),
            )
            self._emit(event, "")

    def close(self) -> None:
        """Writes what is waiting and returns when it is stored; does nothing the second time."""
        if self._executor is None or self._closing:
            return
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._executor.shutdown(wait=True)
        self._raise_if_writing_failed()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.close()
        except RunStopped as failure:
            if error is None:
                raise
            if error.__cause__ is not failure.__cause__:
                error.add_note(str(failure))

    def _emit_of_step(
        self,
        event_type: DagsterEventType,
        told: StepMaterializationData | AssetObservationData,
        message: str,
    ) -> None:
        event = DagsterEvent(
            event_type_value=event_type.value,
            job_name=self._origin.job_name,
            step_handle=self._origin.step_handle,
            node_handle=self._origin.node_handle,
            step_kind_value=self._origin.step_kind,
            logging_tags=self._origin.logging_tags,
            event_specific_data=told,
            message=message,
            pid=os.getpid(),
            step_key=self._origin.step_key,
        )
        self._emit(event, message)

    def _emit(self, event: DagsterEvent, user_message: str) -> None:
        entry = EventLogEntry(
            error_info=None,
            level=logging.DEBUG,
            user_message=user_message,
            run_id=self._origin.run_id,
            timestamp=get_current_timestamp(),
            step_key=self._origin.step_key,
            job_name=self._origin.job_name,
            dagster_event=event,
        )
        if self._executor is None:
            try:
                self._instance.handle_new_event(entry)
            except database_errors() as error:
                raise self._failure(error, missing=1) from error
            return
        with self._changed:
            self._changed.wait_for(lambda: len(self._pending) < self._capacity or self._writer_ended)
            self._raise_if_writing_failed()
            if self._closing:
                raise RuntimeError("an event was reported after the emitter was closed")
            self._pending.append(entry)
            self._unwritten += 1
            if len(self._pending) in (1, self._batch_size):
                self._changed.notify_all()

    def _write_batches(self) -> None:
        try:
            while batch := self._next_batch():
                for group in self._groups(batch):
                    self._instance.event_log_storage.store_event_batch(group)
                with self._changed:
                    self._unwritten -= len(batch)
                for entry in batch:
                    for listener in self._instance._subscribers.get(entry.run_id, ()):
                        listener(entry)
        finally:
            with self._changed:
                self._writer_ended = True
                self._changed.notify_all()

    def _next_batch(self) -> list[EventLogEntry]:
        """Waits for a full group, for the age of its first event, or for the end (then it may be empty)."""
        with self._changed:
            self._changed.wait_for(lambda: self._pending or self._closing)
            self._changed.wait_for(
                lambda: len(self._pending) >= self._batch_size or self._closing, timeout=self._max_age_s
            )
            batch = [self._pending.popleft() for _ in range(min(self._batch_size, len(self._pending)))]
            self._changed.notify_all()
            return batch

    def _groups(self, batch: Sequence[EventLogEntry]) -> Iterable[Sequence[EventLogEntry]]:
        """The batch in pieces that the storage takes as one: Dagster's own on PostgreSQL notes the asset of the
        last event alone, and writes one by one what is not all of one type.
        """
        if isinstance(self._instance.event_log_storage, GroupingEventLogStorage):
            return [batch]
        by_asset = sorted(batch, key=_asset_of)
        return [
            list(group) for _, group in groupby(by_asset, key=lambda e: (_asset_of(e), e.dagster_event_type))
        ]

    def _raise_if_writing_failed(self) -> None:
        if not self._writer_ended:
            return
        error = self._writing.exception()
        if error is not None:
            raise self._failure(error, missing=self._unwritten) from error

    def _failure(self, error: BaseException, missing: int) -> RunStopped:
        storage = self._instance.event_log_storage
        place = storage.place if isinstance(storage, GroupingEventLogStorage) else type(storage).__name__
        told = postgres_trouble(error, storage)
        if told is not None:
            return RunStopped(f"{missing} events could not be written. {told}")
        return RunStopped(
            f"Dagster's event log in {place} could not be written ({reason_of(error)}): {missing} events are missing "
            "from it. No result on disk is lost; free the database or the disk and run again."
        )


def _asset_of(entry: EventLogEntry) -> str:
    key = entry.get_dagster_event().asset_key
    return key.to_string() if key else ""

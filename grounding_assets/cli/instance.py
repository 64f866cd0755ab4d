"""The one Dagster instance that all doors share, and what to say when its databases cannot be used."""

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import dagster as dg

from grounding_assets.core.errors import RunStopped
from grounding_assets.core.files import locked
from grounding_assets.shipped import INSTANCE_FILE, copy_shipped
from resources.dagster_internals import SqliteEventLogStorage
from resources.event_log.postgres_troubles import database_errors, postgres_trouble, reason_of

_REMEDIES = {
    "locked": "end the program that holds it",
    "readonly": "allow writing it",
    "full": "make room on the disk",
    "unable to open": "make the folder writable",
    "disk I/O": "make room on the disk, or allow writing it",
}
"""By what SQLite says; anything else means that the file is damaged."""


@contextmanager
def persistent_instance() -> Iterator[dg.DagsterInstance]:
    """DAGSTER_HOME's instance; without it that of the working directory, which gets a dagster.yaml if it has none.

    Raises:
        RunStopped: a database of the instance cannot be read or written; the message names it.
    """
    if not os.environ.get("DAGSTER_HOME"):
        for written in copy_shipped((INSTANCE_FILE,), Path.cwd()):
            print(f"Wrote {written}: Dagster's instance of this folder, which keeps its state in .dagster/.")
        os.environ["DAGSTER_HOME"] = str(Path.cwd())
    instance: dg.DagsterInstance | None = None
    try:
        with ExitStack() as stack:
            # two processes that make the databases at the same time get into each other's way
            with locked(Path(os.environ["DAGSTER_HOME"])):
                instance = stack.enter_context(_opened())
                _make_sure_of_events(instance)
            yield instance
    except database_errors() as error:
        trouble = postgres_trouble(error, instance.event_log_storage if instance else None)
        raise trouble or RunStopped(
            _explanation(Path(os.environ["DAGSTER_HOME"]), reason_of(error))
        ) from None


def _opened() -> dg.DagsterInstance:
    try:
        return dg.DagsterInstance.get()
    except dg.DagsterInvalidConfigError as error:
        file = Path(os.environ["DAGSTER_HOME"]) / INSTANCE_FILE
        said = error.errors[0].message
        unset = re.search(r'environment variable "(\w+)" which is not set', said)
        if unset:
            raise RunStopped(
                f"Set the environment variable {unset[1]}, which {file} names: it is not set."
            ) from None
        raise RunStopped(
            f"{file} cannot be used ({said.splitlines()[0].removesuffix('.')}): correct it."
        ) from None


def _make_sure_of_events(instance: dg.DagsterInstance) -> None:
    """Finds a damaged or locked event log before Dagster tries, who would print each statement that failed."""
    storage = instance.event_log_storage
    if isinstance(storage, SqliteEventLogStorage):
        with storage.index_connection() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            connection.rollback()


def _explanation(home: Path, reason: str) -> str:
    where = f"Dagster's database in {home}"
    for file in sorted(home.glob(".dagster/**/*.db")):
        found = _trouble(file)
        if found:
            where, reason = str(file), found
            break
    for words, remedy in _REMEDIES.items():
        if words in reason:
            return f"{where} cannot be used ({reason}): {remedy}, then run again. Finished samples are kept."
    return (
        f"{where} is damaged ({reason}): move it away and run again. Finished samples are kept, and Dagster "
        "is told of them again."
    )


def _trouble(file: Path) -> str:
    """What keeps a database from being written, in SQLite's words; empty if nothing does."""
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=rw", uri=True, timeout=0)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("SELECT name FROM sqlite_master").fetchall()
            connection.rollback()
    except sqlite3.Error as error:
        return str(error)
    return ""

"""What to say when PostgreSQL cannot be used: where it is, why not, and what to do. Never the password."""

import sys

from click import ClickException
from dagster._core.storage.event_log.base import EventLogStorage
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from grounding_assets.core.errors import RunStopped

_REMEDIES = {
    "password": "correct user and password in the variables that dagster.yaml names",
    "no pg_hba.conf entry": "let the server accept this user from this machine (pg_hba.conf)",
    "could not translate host name": "correct the host in the variables that dagster.yaml names",
    "does not exist": "create it, or correct its name in the variables that dagster.yaml names",
    "No space left on device": "make room on the server's disk",
    "too many clients": "raise max_connections of the server, or run fewer processes",
    "connection slots are reserved": "raise max_connections of the server, or run fewer processes",
    "permission denied": "grant this user all rights on the database and its schema",
    "read-only transaction": "name the server that takes writes, not a replica",
    "could not be parsed": "correct the URL in the variables that dagster.yaml names",
}
"""By what PostgreSQL says; anything else means that it cannot be reached."""
_UNREACHABLE = "start the server, or correct host and port in the variables that dagster.yaml names"


class StorageTrouble(RunStopped, ClickException):
    """Dagster's commands, which are made with click, print it as `auto_label` does: without a traceback."""


class DatabaseUnusable(StorageTrouble):
    """Nobody answers, or the database does not do what it is asked."""

    def __init__(self, place: str, reason: str):
        """`reason` in the words of the database; its first line is kept."""
        first = next((line.strip() for line in reason.splitlines() if line.strip()), "no reason was given")
        remedy = next((remedy for words, remedy in _REMEDIES.items() if words in first), _UNREACHABLE)
        super().__init__(
            f"Dagster's database {place} cannot be used ({first.rstrip('.')}): {remedy}, then run again. "
            "Finished samples are kept, and Dagster is told of them again.",
        )


def database_url(text: str) -> URL:
    """The URL with the driver that this project installs, unless it names one.

    Raises:
        DatabaseUnusable: it is none. The message does not quote it, since it may hold a password.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise DatabaseUnusable("of dagster.yaml", "its URL could not be parsed") from None
    return url.set(drivername="postgresql+psycopg2") if url.drivername == "postgresql" else url


def place_of(url: URL) -> str:
    """Host, port and name of the database."""
    return f"PostgreSQL at {url.host or 'localhost'}:{url.port or 5432}/{url.database or ''}"


def reason_of(error: BaseException) -> str:
    """What the driver said, below what SQLAlchemy and Dagster made of it."""
    while not isinstance(error, DBAPIError) and error.__cause__ is not None:
        error = error.__cause__
    return str(error.orig if isinstance(error, DBAPIError) else error)


def database_errors() -> tuple[type[Exception], ...]:
    """What Dagster's storages raise if their database cannot be used."""
    # nobody imports it who keeps his events elsewhere
    utils = sys.modules.get("dagster_postgres.utils")
    return (DBAPIError, utils.DagsterPostgresException) if utils else (DBAPIError,)


def postgres_trouble(error: BaseException, storage: EventLogStorage | None) -> DatabaseUnusable | None:
    """The error of one of `database_errors`; None if it is of another database. `storage`: if it could be opened."""
    url = getattr(storage, "postgres_url", None)
    if url is not None:
        return DatabaseUnusable(place_of(database_url(url)), reason_of(error))
    of_postgres = type(error).__module__.startswith("dagster_postgres") or (
        isinstance(error, DBAPIError) and type(error.orig).__module__.startswith("psycopg")
    )
    return DatabaseUnusable("of dagster.yaml", reason_of(error)) if of_postgres else None

"""Where the instances of tests keep their events: as the project ships it, or in PostgreSQL.

`GROUNDING_TEST_STORAGE=postgres` makes every instance of a test one in PostgreSQL (`make test-postgres`).
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg
import pytest
from dagster._core.instance import InstanceRef

import tests.migrations  # noqa: F401  an instance in memory takes a third of the time with it
from tests.corpus import PROJECT
from tests.postgres import PostgresServer, binaries

ON_POSTGRES = os.environ.get("GROUNDING_TEST_STORAGE") == "postgres"
POSTGRES_FILE = PROJECT / "deploy" / "postgres" / "dagster.yaml"
needs_postgres = pytest.mark.skipif(
    binaries() is None, reason="no PostgreSQL server here: install postgresql"
)
not_on_postgres = pytest.mark.skipif(ON_POSTGRES, reason="about SQLite's files")
server: PostgresServer | None = None
"""Set by the session's fixture where `ON_POSTGRES`."""


def write_instance_file(folder: Path) -> None:
    """A `dagster.yaml` of a new instance."""
    if ON_POSTGRES:
        write_postgres_file(folder, _server())
    else:
        shutil.copy(PROJECT / "dagster.yaml", folder / "dagster.yaml")


def write_postgres_file(folder: Path, server: PostgresServer) -> str:
    """The documented `dagster.yaml` for PostgreSQL, with a new database; the database's name."""
    database = server.new_database()
    text = POSTGRES_FILE.read_text(encoding="utf-8")
    # a test may have several instances, and the environment only one variable
    assert "{env: DAGSTER_POSTGRES_URL}" in text
    text = text.replace("{env: DAGSTER_POSTGRES_URL}", server.url(database))
    (folder / "dagster.yaml").write_text(text, encoding="utf-8")
    return database


@contextmanager
def fresh_instance() -> Iterator[dg.DagsterInstance]:
    """A new instance, in memory unless in PostgreSQL."""
    if not ON_POSTGRES:
        with dg.DagsterInstance.ephemeral() as instance:
            yield instance
        return
    with TemporaryDirectory() as folder, postgres_instance(Path(folder), _server()) as instance:
        yield instance


def postgres_instance(
    folder: Path, server: PostgresServer, database: str | None = None, *, stock: bool = False
) -> dg.DagsterInstance:
    """An instance on a new database, or on one that was made before; `stock`: by Dagster's own classes."""
    config = {"postgres_url": server.url(database or server.new_database())}
    custom = {"module": "resources.event_log.postgres", "class": "BatchedPostgresStorage", "config": config}
    storage = {"postgres": config} if stock else {"custom": custom}
    ref = InstanceRef.from_dir(str(folder), overrides={"storage": storage})
    return dg.DagsterInstance.from_ref(ref)


def _server() -> PostgresServer:
    assert server is not None, "the session's fixture starts it"
    return server

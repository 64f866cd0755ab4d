"""The one Dagster instance that all doors share."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

PROJECT = Path(__file__).resolve().parent.parent.parent


@contextmanager
def persistent_instance() -> Iterator[dg.DagsterInstance]:
    """DAGSTER_HOME's instance; without it that of the working directory's dagster.yaml, else the project's."""
    home = os.environ.get("DAGSTER_HOME")
    if not home:
        folder = Path.cwd() if Path("dagster.yaml").is_file() else PROJECT
        os.environ["DAGSTER_HOME"] = str(folder)
    with dg.DagsterInstance.get() as instance:
        yield instance

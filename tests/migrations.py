"""Dagster's migrations, read once a process instead of once for each database that Dagster opens or makes.

That is ten times in a run that makes its instance, and a quarter of its processor time; `tests.forked` imports this
into the process that commands are forked from.
"""

from functools import cache

from alembic.config import Config
from alembic.script import ScriptDirectory
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.sql import get_alembic_config

_read = ScriptDirectory.from_config


@cache
def _scripts(location: str) -> ScriptDirectory:
    """All three kinds of databases have the same ones."""
    config = Config()
    config.set_main_option("script_location", location)
    return _read(config)


def _from_config(config: Config) -> ScriptDirectory:
    return _scripts(config.get_main_option("script_location") or "")


ScriptDirectory.from_config = staticmethod(_from_config)  # type: ignore[method-assign]
_from_config(get_alembic_config(sqlite_run_storage.__file__)).as_revision_number("head")

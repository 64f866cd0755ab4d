"""Which tests are slow: those that drive browsers, terminals, killed processes and one whole run after another."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import storages
from tests.postgres import PostgresServer, binaries, postgres_server

# a shared or small machine is no reason to fail; what a test must not exceed, it asserts itself
settings.register_profile(
    "quick", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=50
)
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=5000, database=None)
settings.load_profile("quick")

SLOW = (
    "batch/",
    "ui/",
    "endurance/",
    "init/",
    "verification/",
    "evaluation/test_gate_by_head.py",
    "shards/test_damage.py",
    "shards/test_generate.py",
    "shards/test_pilot.py",
    "shards/test_processes.py",
    "storage/test_generate_from_storage.py",
    "storage/test_generate_to_storage.py",
    "storage/test_stored_results.py",
    "money/",
    "wheel/",
    "assets/test_other_settings.py",
    "assets/test_warnings.py",
    "vlm/test_server_caps.py",
    "resources/event_log/test_postgres.py",
    "report/test_report_judging.py",
    "report/test_report_browser.py",
    "report/test_report_correcting.py",
    "report/test_round_trip.py",
    "report/test_report_looks.py",
    "doors/test_closing_words.py",
    "doors/test_command.py",
    "doors/test_cut_drafts.py",
    "doors/test_dagster_commands.py",
    "doors/test_evaluate.py",
    "doors/test_dg.py",
    "doors/test_export.py",
    "doors/test_reparse.py",
    "doors/test_review.py",
    "doors/test_tao.py",
)
"""Paths below tests/. `make test` leaves them out, `make test-slow` runs just them, and CI runs both."""

LONGEST = (
    "vlm/test_every_family.py",
    "local_teacher/test_accuracy.py",
    "endpoints/test_disobedient.py",
    "wheel/",
    "ui/",
    "init/",
    "endurance/",
    "shards/",
    "storage/",
    "batch/",
    "doors/",
    "assets/",
)
"""Of these a module may take minutes: begun first, so that none of them is left alone at the end."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A module of the kind that is not asked for is not even imported: that takes as long as many a test.

    `cluster` is of neither kind: `make cluster-test` and CI name it.
    """
    chosen = config.getoption("markexpr")
    if chosen not in ("slow", "not slow"):
        return None
    if collection_path == Path(__file__).parent / "cluster":
        return True
    if not collection_path.is_file():
        return None
    return True if _is_slow(collection_path) != (chosen == "slow") else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for test in items:
        if _is_slow(test.path):
            test.add_marker(pytest.mark.slow)
    items.sort(key=lambda test: _place(test.path))


def _is_slow(path: Path) -> bool:
    return _below_tests(path).startswith(SLOW)


def _place(path: Path) -> int:
    below = _below_tests(path)
    return next((place for place, folder in enumerate(LONGEST) if below.startswith(folder)), len(LONGEST))


@cache
def _below_tests(path: Path) -> str:
    return path.relative_to(Path(__file__).parent).as_posix()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server for the whole session."""
    found = binaries()
    if found is None:
        pytest.skip("no PostgreSQL server here: install postgresql")
    with postgres_server(found) as server:
        yield server


if storages.ON_POSTGRES:

    @pytest.fixture(scope="session", autouse=True)
    def _instances_in_postgres(postgres: PostgresServer) -> None:
        storages.server = postgres

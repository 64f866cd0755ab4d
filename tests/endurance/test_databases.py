"""A database of Dagster's that is locked or damaged: said which and what to do, and no finished result is lost."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.doors.project import Project
from tests.endpoints.server import SimulatedEndpoint, running
from tests.endurance.pictures import Pictures
from tests.endurance.runs import generate, generating
from tests.endurance.soak import Records, endpoint_is_idle
from tests.endurance.status import ids_on_disk
from tests.endurance.test_disk import WORKERS, goes_on, is_clear, kept_by, project_of

EVENTS, RUNS = "history/runs/index.db", "history/runs.db"


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Another program writes to the database and does not come to an end."""
    with closing(sqlite3.connect(file, isolation_level=None, timeout=30)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield


def impatient(project: Project) -> None:
    """Waits two seconds for a database instead of a minute."""
    settings = project.folder / "dagster.yaml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(
        text.replace("base_dir: .dagster\n", "base_dir: .dagster\n      busy_timeout_s: 2\n", 1)
    )


@pytest.mark.parametrize("name", [EVENTS, RUNS])
def test_locked_before_the_start(tmp_path: Path, pictures: Pictures, calm: Records, name: str) -> None:
    with running(SimulatedEndpoint("vllm", gold=pictures.gold)) as endpoint:
        project = project_of(tmp_path, endpoint, pictures)
        impatient(project)
        assert generate(project, "image_grounding.workflow.steps=[0]", WORKERS).code == 0
        asked = len(endpoint.requests)
        with locked(tmp_path / ".dagster" / name):
            ended = generate(project, WORKERS)
        message = is_clear(
            ended, str(tmp_path / ".dagster" / name), "locked", "end the program that holds it"
        )
        assert ended.stderr == message + "\n"
        assert len(endpoint.requests) == asked
        goes_on(project, endpoint, calm, kept=kept_by(project))


def test_locked_during_the_run(tmp_path: Path, pictures: Pictures, calm: Records) -> None:
    with running(SimulatedEndpoint("vllm", gold=pictures.gold, latency=0.05)) as endpoint:
        project = project_of(tmp_path, endpoint, pictures)
        impatient(project)
        with generating(project, WORKERS) as run:
            run.until(lambda: len(ids_on_disk(project, "1")) > 5, "five results")
            with locked(tmp_path / ".dagster" / EVENTS):
                ended = run.ended()
        is_clear(ended, str(tmp_path / ".dagster" / EVENTS), "locked")
        endpoint_is_idle(endpoint)
        goes_on(project, endpoint, calm, kept=kept_by(project))


@pytest.mark.parametrize(
    ("name", "spoil"),
    [(EVENTS, lambda whole: os.urandom(5000)), (RUNS, lambda whole: whole[: len(whole) // 2])],
)
def test_damaged(
    tmp_path: Path, pictures: Pictures, calm: Records, name: str, spoil: Callable[[bytes], bytes]
) -> None:
    """What the message says to do is done, and helps."""
    with running(SimulatedEndpoint("vllm", gold=pictures.gold)) as endpoint:
        project = project_of(tmp_path, endpoint, pictures)
        assert generate(project, "image_grounding.workflow.steps=[0]", WORKERS).code == 0
        asked = len(endpoint.requests)
        file = tmp_path / ".dagster" / name
        file.write_bytes(spoil(file.read_bytes()))
        ended = generate(project, WORKERS)
        message = is_clear(ended, str(file), "damaged", "move it away and run again")
        assert ended.stderr == message + "\n"
        assert len(endpoint.requests) == asked
        file.rename(tmp_path / "away.db")
        goes_on(project, endpoint, calm, kept=kept_by(project))

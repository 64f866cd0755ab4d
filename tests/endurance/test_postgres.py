"""PostgreSQL that is down, refuses the password or is full: said with host and remedy, and no finished result is lost."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.doors.project import Project
from tests.endpoints.server import SimulatedEndpoint, running
from tests.endurance.pictures import Pictures
from tests.endurance.runs import generate, generating
from tests.endurance.soak import Records, endpoint_is_idle
from tests.endurance.status import ids_on_disk
from tests.endurance.test_disk import WORKERS, goes_on, is_clear, kept_by, mounted, project_of
from tests.postgres import PASSWORD, PostgresServer
from tests.storages import POSTGRES_FILE, write_postgres_file

URL = "DAGSTER_POSTGRES_URL"
GENERATE = ("generate", "-e", "spec.yaml")
MATERIALIZE = ("asset", "materialize", "-m", "grounding_assets.definitions", "--select", "tested/samples")


def documented_project(folder: Path) -> Project:
    """A folder with the documented `dagster.yaml` as it is, and no input."""
    shutil.copy(POSTGRES_FILE, folder / "dagster.yaml")
    (folder / "input.jsonl").write_text('{"image_path": "a.jpg", "caption": "A dog."}\n')
    (folder / "spec.yaml").write_text(
        "results_dir: results\nimage_grounding: {vlm: {backend: local}, data: {name: tested, input_jsonl: input.jsonl}}\n"
    )
    return Project(folder)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ((r"127.0.0.1:\d+", "127.0.0.1:1"), ("127.0.0.1:1", "start the server, or correct host and port")),
        ((PASSWORD, "hidden-one"), ("password authentication failed", "correct user and password")),
        (("/instance_", "/nobodys_"), ("does not exist", "correct its name")),
        (("127.0.0.1", "no-such-host.invalid"), ("no-such-host.invalid", "correct the host")),
        (("postgresql.*://", "mad-e-up//"), ("could not be parsed", "correct the URL")),
    ],
    ids=["nobody listens", "wrong password", "no such database", "no such host", "no URL"],
)
@pytest.mark.parametrize("door", ["auto_label", "dagster"])
def test_not_to_be_had_at_the_start(
    tmp_path: Path, postgres: PostgresServer, wrong: tuple[str, str], words: tuple[str, ...], door: str
) -> None:
    project = documented_project(tmp_path)
    environment = {URL: re.sub(*wrong, postgres.url(postgres.new_database()))}
    if door == "auto_label":
        ended = generate(project, environment=environment)
        message = is_clear(ended, *words)
        assert ended.stderr == message + "\n"
    else:
        done = project.run("dagster", *MATERIALIZE, DAGSTER_HOME=str(tmp_path), **environment)
        output = done.stdout + done.stderr
        assert done.returncode == 1 and "Traceback" not in output
        assert all(word in " ".join(output.split()) for word in words), output
    assert not any(secret in str(sorted(tmp_path.rglob("*"))) for secret in (PASSWORD, "hidden-one"))


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("from grounding_assets.cli import main; sys.exit(main(sys.argv[1:]))", GENERATE),
        ("from dagster._cli import main; main()", MATERIALIZE),
    ],
    ids=["auto_label", "dagster"],
)
def test_without_the_extra_it_is_named(tmp_path: Path, call: str, arguments: tuple[str, ...]) -> None:
    project = documented_project(tmp_path)
    program = f"import sys; sys.modules['dagster_postgres'] = None; {call}"
    environment = {"DAGSTER_HOME": str(tmp_path), URL: "postgresql://me:hidden-one@127.0.0.1:1/nobodys"}
    ended = project.run("python", "-c", program, *arguments, **environment)
    assert ended.returncode == 1 and "Traceback" not in ended.stdout + ended.stderr, ended.stderr
    assert "pip install 'grounding-assets[postgres]'" in " ".join(ended.stderr.split())
    assert not project.results.exists()


def test_an_unset_variable_is_named(tmp_path: Path) -> None:
    ended = generate(documented_project(tmp_path))
    is_clear(ended, URL, "not set")


@pytest.fixture
def project(
    tmp_path: Path, postgres: PostgresServer, pictures: Pictures
) -> Iterator[tuple[Project, SimulatedEndpoint, str]]:
    """A project whose instance is in a database of its own; its endpoint and the database's name."""
    with running(SimulatedEndpoint("vllm", gold=pictures.gold, latency=0.05)) as endpoint:
        made = project_of(tmp_path, endpoint, pictures)
        yield made, endpoint, write_postgres_file(tmp_path, postgres)


def test_it_stops_during_the_run(
    project: tuple[Project, SimulatedEndpoint, str], postgres: PostgresServer, calm: Records
) -> None:
    made, endpoint, _ = project
    with generating(made, WORKERS) as run:
        run.until(lambda: len(ids_on_disk(made, "1")) > 5, "five results")
        postgres.stop()
        try:
            ended = run.ended()
        finally:
            postgres.start()
    is_clear(ended, f"127.0.0.1:{postgres.port}", "start the server", "run again")
    assert PASSWORD not in ended.output
    goes_on(made, endpoint, calm, kept=kept_by(made))


def test_its_disk_becomes_full(
    project: tuple[Project, SimulatedEndpoint, str], postgres: PostgresServer, calm: Records, tmp_path: Path
) -> None:
    made, endpoint, database = project
    disk = postgres.folder / "small"
    with mounted(disk, "40m"), _tablespace(postgres, disk, database):
        filler = disk / "filler"
        with generating(made, WORKERS) as run:
            run.until(lambda: len(ids_on_disk(made, "1")) > 5, "five results")
            _fill(filler)
            ended = run.ended()
        is_clear(ended, f"127.0.0.1:{postgres.port}", "No space left", "make room on the server's disk")
        endpoint_is_idle(endpoint)
        filler.unlink()
        goes_on(made, endpoint, calm, kept=kept_by(made))


@contextmanager
def _tablespace(postgres: PostgresServer, disk: Path, database: str) -> Iterator[None]:
    """Moves the database to the disk for a while."""
    if os.geteuid() == 0:
        shutil.chown(disk, "postgres", "postgres")
    postgres.execute(f"CREATE TABLESPACE small LOCATION '{disk}'")
    postgres.execute(f"ALTER DATABASE {database} SET TABLESPACE small")
    try:
        yield
    finally:
        postgres.execute(f"DROP DATABASE {database} WITH (FORCE)")
        postgres.execute("DROP TABLESPACE small")


def _fill(file: Path) -> None:
    with file.open("wb", buffering=0) as stream:
        try:
            while True:
                stream.write(b"0" * 4096)
        except OSError:
            return

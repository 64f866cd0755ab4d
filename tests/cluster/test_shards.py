"""A data set in shards on a deployment of Dagster: machines that die, a second person, a cap, and the stop button.

The small form, a few hundred samples, is part of continuous integration; `make cluster-test` runs the large one.
"""

import json
import os
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from resources.dead_runs import RunProcess
from tests.cluster.deployment import RUNS_AT_ONCE, Deployment, on_kubernetes, on_one_machine
from tests.doors.project import Project, endpoint_settings, make_project
from tests.endpoints.faults import Faults, Rule
from tests.endpoints.server import SimulatedEndpoint, running
from tests.endurance.pictures import Pictures, make_pictures
from tests.endurance.soak import PASSING, Records, about_samples, calm_run, endpoint_is_idle, results_of
from tests.endurance.status import instance_of
from tests.postgres import PostgresServer
from tests.ui.dagster_dev import wait_for

IN_FLIGHT = 16
FAULTS = 0.03


@dataclass(frozen=True)
class Scale:
    samples: int
    shard_size: int
    kills: int
    cap: int

    @property
    def shards(self) -> list[str]:
        return [f"tested-{number:05d}" for number in range(self.samples // self.shard_size)]


FULL = os.environ.get("GROUNDING_CLUSTER") == "full"
SCALE = Scale(3000, 250, 2, 2000) if FULL else Scale(400, 100, 1, 300)
only_full = pytest.mark.skipif(not FULL, reason="part of the large form: make cluster-test")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    return make_pictures(tmp_path_factory.mktemp("pictures"), SCALE.samples, captions_each=50)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory, pictures: Pictures) -> Records:
    """The right results, made by one process without shards."""
    return calm_run(tmp_path_factory.mktemp("calm") / "project", pictures)


@pytest.fixture
def endpoint(pictures: Pictures) -> Iterator[SimulatedEndpoint]:
    """Hits 3 % of requests with what another try makes good."""
    faults = Faults(
        tuple(Rule(fault, FAULTS / len(PASSING), at_most=1) for fault in PASSING), retry_after=0.5, seed=3
    )
    with running(SimulatedEndpoint("vllm", gold=pictures.gold, faults=faults, latency=0.1)) as endpoint:
        yield endpoint


def sharded_project(folder: Path, endpoint: SimulatedEndpoint, pictures: Pictures, max_calls: int) -> Project:
    project = make_project(folder, endpoint_settings(endpoint), image_root=pictures.folder)
    project.write_input(pictures.rows)
    spec = project.spec.read_text(encoding="utf-8")
    spec = spec.replace("{name: tested,", f"{{name: tested, shard_size: {SCALE.shard_size},")
    workflow = f"  workflow: {{max_workers: {IN_FLIGHT}, max_calls: {max_calls}}}\n"
    project.spec.write_text(spec + workflow, encoding="utf-8")
    return project


@contextmanager
def deployed(launcher: str, project: Project, postgres: PostgresServer) -> Iterator[Deployment]:
    opened = (
        on_one_machine(project, postgres) if launcher == "default" else on_kubernetes(project, postgres, {})
    )
    with opened as deployment:
        assert deployment.materialize("samples") == "SUCCESS"
        yield deployment


def kill_a_run(deployment: Deployment, project: Project, dice: random.Random) -> None:
    """kill -9, as when its machine is lost."""
    cluster = deployment.kubernetes
    if cluster is not None:
        cluster.die(dice.choice(wait_for(cluster.running, "a running pod")))
        return
    with instance_of(project) as instance:
        runs = instance.get_runs(filters=dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
    workers = [process for process in map(RunProcess.of, runs) if process is not None]
    os.kill(dice.choice(workers).pid, signal.SIGKILL)


def launch_and_kill(deployment: Deployment, project: Project, endpoint: SimulatedEndpoint, calls: int) -> str:
    """Launches every shard, and kills runs while the first `calls` calls are made; the backfill's id."""
    dice, backfill = random.Random(5), deployment.launch(SCALE.shards)
    for number in range(SCALE.kills):
        mark = calls * (number + 1) // (SCALE.kills + 2)
        wait_for(lambda mark=mark: endpoint.recorder.total >= mark, f"{mark} calls", 300)
        kill_a_run(deployment, project, dice)
    return backfill


def without_ids(records: Records) -> dict[tuple[str, str], dict[str, Any]]:
    """Ids carry another digest in shards than without."""
    return {key: json.loads(json.dumps(row).replace(row["sample_id"], "ID")) for key, row in records.items()}


LAUNCHERS = ["kubernetes", pytest.param("default", marks=only_full)]


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_machines_that_die_cost_what_was_in_flight(
    tmp_path: Path,
    postgres: PostgresServer,
    pictures: Pictures,
    calm: Records,
    endpoint: SimulatedEndpoint,
    launcher: str,
) -> None:
    needed = 2 * SCALE.samples
    project = sharded_project(tmp_path, endpoint, pictures, max_calls=needed * 2)
    with deployed(launcher, project, postgres) as deployment:
        launch_and_kill(deployment, project, endpoint, needed)
        deployment.wait_until_materialized(len(SCALE.shards))
        assert deployment.materialize("annotations") == "SUCCESS"
        requests = about_samples(endpoint.requests)
        answered = sum(not request.fault for request in requests)
        assert needed <= answered <= needed + SCALE.kills * IN_FLIGHT
        assert without_ids(results_of(project)) == without_ids(calm)
        assert [row["caption"] for row in project.lines()] == [row["caption"] for row in pictures.rows]
        assert len({row["sample_id"] for row in project.lines()}) == SCALE.samples
        assert project.lines("failures.jsonl") == []

        deployment.wait_until_over(deployment.launch(SCALE.shards))
        endpoint_is_idle(endpoint)
        assert len(about_samples(endpoint.requests)) == len(requests), "a second person pays nothing"


@only_full
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_cap_holds_over_all_machines(
    tmp_path: Path,
    postgres: PostgresServer,
    pictures: Pictures,
    calm: Records,
    endpoint: SimulatedEndpoint,
    launcher: str,
) -> None:
    project = sharded_project(tmp_path, endpoint, pictures, max_calls=SCALE.cap)
    with deployed(launcher, project, postgres) as deployment:
        deployment.wait_until_over(launch_and_kill(deployment, project, endpoint, SCALE.cap))
        deployment.wait_until_over(deployment.launch(SCALE.shards))
        assert deployment.materialize("annotations") == "FAILURE", "samples are missing"
    endpoint_is_idle(endpoint)
    # calls that a killed run had booked and not sent are counted, and never reached the endpoint
    lost = (SCALE.kills + RUNS_AT_ONCE) * IN_FLIGHT
    assert SCALE.cap - lost <= endpoint.recorder.total <= SCALE.cap
    assert without_ids(results_of(project)).items() <= without_ids(calm).items()


@only_full
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_the_stop_button_loses_nothing(
    tmp_path: Path,
    postgres: PostgresServer,
    pictures: Pictures,
    calm: Records,
    endpoint: SimulatedEndpoint,
    launcher: str,
) -> None:
    needed = 2 * SCALE.samples
    project = sharded_project(tmp_path, endpoint, pictures, max_calls=needed * 2)
    with deployed(launcher, project, postgres) as deployment:
        backfill = deployment.launch(SCALE.shards)
        wait_for(lambda: endpoint.recorder.total >= needed // 4, "a quarter of the calls", 300)
        stopped = wait_for(deployment.started, "a run that is under way")[0]
        deployment.terminate(stopped)
        assert deployment.dagster.finished(stopped) == "CANCELED"
        deployment.wait_until_over(backfill)
        assert deployment.dagster.partition_counts("annotated_shard")["numFailed"] == 0
        deployment.launch(SCALE.shards)
        deployment.wait_until_materialized(len(SCALE.shards))
        assert deployment.materialize("annotations") == "SUCCESS"
    answered = sum(not request.fault for request in about_samples(endpoint.requests))
    assert needed <= answered <= needed + IN_FLIGHT
    assert without_ids(results_of(project)) == without_ids(calm)

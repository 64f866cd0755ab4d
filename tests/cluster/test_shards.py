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
from tests.endurance.soak import PASSING, Records, about_samples, calm_run, endpoint_is_idle
from tests.endurance.status import instance_of
from tests.postgres import PostgresServer
from tests.storage.servers import S3Server, s3_server
from tests.ui.dagster_dev import wait_for

IN_FLIGHT = 16
FAULTS = 0.03
LATENCY_S = 0.1
BUCKET = "tested"


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
NEEDED = 2 * SCALE.samples
only_full = pytest.mark.skipif(not FULL, reason="part of the large form: make cluster-test")


@dataclass(frozen=True)
class Site:
    """Where runs work, and where results lie."""

    postgres: PostgresServer
    storage: S3Server | None
    """With it, many machines by Kubernetes; without, one machine with the default launcher and a local disk."""

    @property
    def lost_by_a_kill(self) -> int:
        """Calls at most: those in flight; in object storage also what was made since the last segment, one a second."""
        return IN_FLIGHT if self.storage is None else IN_FLIGHT + int(IN_FLIGHT / LATENCY_S)

    def project(
        self, folder: Path, endpoint: SimulatedEndpoint, pictures: Pictures, max_calls: int
    ) -> Project:
        project = make_project(folder, endpoint_settings(endpoint), image_root=pictures.folder)
        project.write_input(pictures.rows)
        spec = project.spec.read_text(encoding="utf-8")
        spec = spec.replace("{name: tested,", f"{{name: tested, shard_size: {SCALE.shard_size},")
        if self.storage is not None:
            spec = spec.replace("results_dir: results", f"results_dir: {_address(folder)}")
        workflow = f"  workflow: {{max_workers: {IN_FLIGHT}, max_calls: {max_calls}}}\n"
        project.spec.write_text(spec + workflow, encoding="utf-8")
        return project

    @contextmanager
    def deployed(self, project: Project) -> Iterator[Deployment]:
        """With the input cut."""
        storage = self.storage
        opened = (
            on_one_machine(project, self.postgres)
            if storage is None
            else on_kubernetes(project, self.postgres, storage.variables)
        )
        with opened as deployment:
            assert deployment.materialize("samples") == "SUCCESS"
            yield deployment

    def lines(self, project: Project, name: str = "annotations.jsonl") -> list[dict[str, Any]]:
        if self.storage is None:
            return project.lines(name)
        content = self.storage.filesystem().cat_file(f"{_address(project.folder)}/{name}")
        return [json.loads(line) for line in content.splitlines()]

    def results(self, project: Project) -> Any:
        rows = self.lines(project)
        return {(row["image_path"], row["caption"]): without_ids(row) for row in rows}


def _address(folder: Path) -> str:
    """Of the results of a test's own: all servers of one process hold the same buckets."""
    return f"s3://{BUCKET}/{folder.name}/results"


@pytest.fixture(params=["kubernetes", pytest.param("one machine", marks=only_full)])
def site(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Site]:
    if request.param == "one machine":
        yield Site(postgres, None)
        return
    with s3_server() as storage:
        storage.put({f"s3://{BUCKET}/made": b""})
        yield Site(postgres, storage)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    return make_pictures(tmp_path_factory.mktemp("pictures"), SCALE.samples, captions_each=50)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory, pictures: Pictures) -> Records:
    """The right results, made by one process without shards."""
    return without_ids(calm_run(tmp_path_factory.mktemp("calm") / "project", pictures))


@pytest.fixture
def endpoint(pictures: Pictures) -> Iterator[SimulatedEndpoint]:
    """Hits 3 % of requests with what another try makes good."""
    rules = tuple(Rule(fault, FAULTS / len(PASSING), at_most=1) for fault in PASSING)
    faults = Faults(rules, retry_after=0.5, seed=3)
    with running(SimulatedEndpoint("vllm", gold=pictures.gold, faults=faults, latency=LATENCY_S)) as endpoint:
        yield endpoint


def without_ids(found: Any) -> Any:
    """Ids carry another digest in shards than without, and of provenance two runs may differ in much."""
    if isinstance(found, dict):
        left_out = ("sample_id", "expression_id", "bbox_id", "provenance")
        return {key: without_ids(value) for key, value in found.items() if key not in left_out}
    return [without_ids(value) for value in found] if isinstance(found, list) else found


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


def answered(endpoint: SimulatedEndpoint) -> int:
    endpoint_is_idle(endpoint)
    return sum(not request.fault for request in about_samples(endpoint.requests))


def test_machines_that_die_cost_what_was_in_flight(
    tmp_path: Path, site: Site, pictures: Pictures, calm: Records, endpoint: SimulatedEndpoint
) -> None:
    project = site.project(tmp_path, endpoint, pictures, max_calls=NEEDED * 2)
    with site.deployed(project) as deployment:
        launch_and_kill(deployment, project, endpoint, NEEDED)
        deployment.wait_until_materialized(len(SCALE.shards))
        assert deployment.materialize("annotations") == "SUCCESS"
        asked = answered(endpoint)
        assert NEEDED <= asked <= NEEDED + SCALE.kills * site.lost_by_a_kill
        assert site.results(project) == calm
        lines = site.lines(project)
        assert [row["caption"] for row in lines] == [row["caption"] for row in pictures.rows]
        assert len({row["sample_id"] for row in lines}) == SCALE.samples
        assert site.lines(project, "failures.jsonl") == []

        deployment.wait_until_over(deployment.launch(SCALE.shards), len(SCALE.shards))
        assert answered(endpoint) == asked, "a second person pays nothing"


@only_full
def test_a_cap_holds_over_all_machines(
    tmp_path: Path, site: Site, pictures: Pictures, calm: Records, endpoint: SimulatedEndpoint
) -> None:
    project = site.project(tmp_path, endpoint, pictures, max_calls=SCALE.cap)
    with site.deployed(project) as deployment:
        deployment.wait_until_over(
            launch_and_kill(deployment, project, endpoint, SCALE.cap), len(SCALE.shards)
        )
        deployment.wait_until_over(deployment.launch(SCALE.shards), len(SCALE.shards))
        assert deployment.materialize("annotations") == "FAILURE", "samples are missing"
        assert site.results(project).items() <= calm.items()
    endpoint_is_idle(endpoint)
    # what killed runs had booked, or taken as grants, is counted, and never reached the endpoint
    kept_back = (SCALE.kills + RUNS_AT_ONCE) * max(IN_FLIGHT, SCALE.cap // 50)
    assert SCALE.cap - kept_back <= endpoint.recorder.total <= SCALE.cap


@only_full
def test_the_stop_button_loses_nothing(
    tmp_path: Path, site: Site, pictures: Pictures, calm: Records, endpoint: SimulatedEndpoint
) -> None:
    project = site.project(tmp_path, endpoint, pictures, max_calls=NEEDED * 2)
    with site.deployed(project) as deployment:
        backfill = deployment.launch(SCALE.shards)
        wait_for(lambda: endpoint.recorder.total >= NEEDED // 4, "a quarter of the calls", 300)
        stopped = wait_for(deployment.started, "a run that is under way")[0]
        deployment.terminate(stopped)
        assert deployment.dagster.finished(stopped) == "CANCELED"
        deployment.wait_until_over(backfill, len(SCALE.shards))
        deployment.launch(SCALE.shards)
        deployment.wait_until_materialized(len(SCALE.shards))
        assert deployment.materialize("annotations") == "SUCCESS"
        assert site.results(project) == calm
    assert NEEDED <= answered(endpoint) <= NEEDED + IN_FLIGHT

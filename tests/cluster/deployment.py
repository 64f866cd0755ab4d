"""A deployment of Dagster over PostgreSQL: web server and daemon as processes, and a launcher for the runs."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml

from tests.cluster.kubernetes import SimulatedKubernetes, simulated_kubernetes
from tests.doors.project import Project
from tests.postgres import PostgresServer
from tests.storages import POSTGRES_FILE
from tests.ui.dagster_dev import DagsterDev, running_dagster, wait_for

URL = "DAGSTER_POSTGRES_URL"
NAME = "tested"
RUNS_AT_ONCE = 4
_PATIENCE_S = 600.0
_KEYS = "keys"
"""The secret that pods get their passwords from."""


@dataclass(frozen=True)
class Deployment:
    """What a user does with it, by GraphQL as the web pages do."""

    dagster: DagsterDev
    kubernetes: SimulatedKubernetes | None
    """None: runs are processes that the code server starts."""

    def materialize(self, *assets: str) -> str:
        """Waits for the run's end; its status."""
        return self.dagster.finished(self.dagster.materialize(*assets), _PATIENCE_S)

    def launch(self, shards: Sequence[str]) -> str:
        """A backfill over these partitions; its id."""
        answer = self.dagster.query(
            """mutation($p: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $p) {
                 __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }""",
            p={"partitionNames": list(shards), "assetSelection": [{"path": [NAME, "annotated_shard"]}]},
        )["launchPartitionBackfill"]
        assert answer["__typename"] == "LaunchBackfillSuccess", answer
        return answer["backfillId"]

    def wait_until_materialized(self, shards: int) -> None:
        wait_for(
            lambda: self.dagster.partition_counts("annotated_shard")["numMaterialized"] == shards,
            f"{shards} materialized shards",
            _PATIENCE_S,
        )

    def wait_until_over(self, backfill: str, shards: int) -> None:
        """Until each of so many shards has had its run, which has ended in whatever way."""
        # the backfill's own status follows half a minute later
        of_backfill = [{"key": "dagster/backfill", "value": backfill}]
        wait_for(
            lambda: len(self.dagster.run_ids(tags=of_backfill)) >= shards and not self.unfinished(),
            "the end of the backfill's runs",
            _PATIENCE_S,
        )

    def unfinished(self) -> list[str]:
        """Ids of runs that are not over."""
        return self.dagster.run_ids(statuses=["QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING"])

    def started(self) -> list[str]:
        return self.dagster.run_ids(statuses=["STARTED"])

    def terminate(self, run: str) -> None:
        answer = self.dagster.query(
            """mutation($id: String!) { terminateRun(runId: $id) { __typename
                 ... on TerminateRunFailure { message } ... on PythonError { message } } }""",
            id=run,
        )["terminateRun"]
        assert answer["__typename"] == "TerminateRunSuccess", answer


def _instance(project: Project, launcher: Mapping[str, Any]) -> None:
    """The documented `dagster.yaml` for PostgreSQL, with what many machines need besides."""
    settings = yaml.safe_load(POSTGRES_FILE.read_text(encoding="utf-8"))
    settings["run_coordinator"]["config"] |= {
        "max_concurrent_runs": RUNS_AT_ONCE,
        # a shard is worked on by one run at a time
        "tag_concurrency_limits": [
            {"key": "dagster/partition", "value": {"applyLimitPerUniqueValue": True}, "limit": 1}
        ],
    }
    # a machine that died, not a sample that failed
    settings["run_retries"] = {"enabled": True, "max_retries": 3, "retry_on_asset_or_op_failure": False}
    (project.folder / "dagster.yaml").write_text(yaml.safe_dump(settings | launcher), encoding="utf-8")


@contextmanager
def on_one_machine(project: Project, postgres: PostgresServer) -> Iterator[Deployment]:
    """The default launcher: four runs at once, each a process of the code server's."""
    _instance(project, {})
    with _variables({URL: postgres.url(postgres.new_database())}), running_dagster(project) as dagster:
        yield Deployment(dagster, None)


@contextmanager
def on_kubernetes(
    project: Project, postgres: PostgresServer, keys: Mapping[str, str]
) -> Iterator[Deployment]:
    """The real K8sRunLauncher against a simulated API; `keys`: variables that pods and servers get as secrets."""
    keys = {URL: postgres.url(postgres.new_database()), **keys}
    with simulated_kubernetes(project.folder, {_KEYS: keys}) as cluster:
        config = {
            "service_account_name": "dagster",
            "instance_config_map": "dagster-instance",
            "job_image": "grounding-assets:tested",
            "dagster_home": str(project.folder),
            "load_incluster_config": False,
            "kubeconfig_file": str(cluster.kubeconfig()),
            "env_secrets": [_KEYS],
            "env_vars": [f"GROUNDING_SPEC={project.spec}"],
            "run_k8s_config": {"pod_spec_config": {"termination_grace_period_seconds": 60}},
        }
        launcher = {"module": "dagster_k8s.launcher", "class": "K8sRunLauncher", "config": config}
        monitoring = {"enabled": True, "poll_interval_seconds": 2, "start_timeout_seconds": 300}
        _instance(project, {"run_launcher": launcher, "run_monitoring": monitoring})
        with _variables(keys), running_dagster(project) as dagster:
            yield Deployment(dagster, cluster)
        manifests = json.dumps(cluster.manifests)
        secrets = [value for name, value in keys.items() if name == URL or "SECRET" in name]
        assert not any(secret in manifests for secret in secrets), "a Job's manifest holds a secret"


@contextmanager
def _variables(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

"""A real `dagster dev` over a project folder, and its GraphQL, for tests that drive the UI."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tests.doors.project import BIN, Project

T = TypeVar("T")
LOCATION = "grounding_assets.definitions"
_STARTED_WITHIN_S, _POLL_S = 90.0, 0.25


def wait_for(condition: Callable[[], T], what: str, within_s: float = 60.0) -> T:
    """Polls until the condition is true and returns it; fails naming what was waited for."""
    deadline = time.monotonic() + within_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what}: not within {within_s:g} s"
        time.sleep(_POLL_S)


@dataclass(frozen=True)
class DagsterDev:
    """The web server and the daemon of one project."""

    project: Project
    url: str
    data_set: str = "tested"
    """Name of the data set, which its asset keys begin with."""

    def query(self, query: str, **variables: Any) -> Any:
        """The `data` of a GraphQL answer."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(
            f"{self.url}/graphql", body, {"Content-Type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def run_ids(self, **filters: Any) -> list[str]:
        """Newest first."""
        answer = self.query(
            "query($f: RunsFilter) { runsOrError(filter: $f) { ... on Runs { results { runId } } } }",
            f=filters,
        )
        return [run["runId"] for run in answer["runsOrError"]["results"]]

    def finished(self, run_id: str, within_s: float = 60.0) -> str:
        """Waits for the run's end; its status."""

        def ended() -> str:
            answer = self.query(
                "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }", id=run_id
            )
            status = answer["runOrError"].get("status", "")
            return status if status in ("SUCCESS", "FAILURE", "CANCELED") else ""

        return wait_for(ended, f"the end of run {run_id}", within_s)

    def materialize(
        self, *assets: str, config: Mapping[str, Any] | None = None, tags: Mapping[str, str] | None = None
    ) -> str:
        """Launches assets of the data set, as the UI does; the run's id."""
        answer = self.query(
            """mutation($p: ExecutionParams!) { launchPipelineExecution(executionParams: $p) {
                 __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
                 ... on RunConfigValidationInvalid { errors { message } } } }""",
            p={
                "selector": {
                    "repositoryName": "__repository__",
                    "repositoryLocationName": LOCATION,
                    "pipelineName": "__ASSET_JOB",
                    "assetSelection": [{"path": [self.data_set, name]} for name in assets],
                },
                "runConfigData": config or {},
                "executionMetadata": {"tags": [{"key": k, "value": v} for k, v in (tags or {}).items()]},
            },
        )["launchPipelineExecution"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return answer["run"]["runId"]

    def execute_from_failure(self, run_id: str) -> str:
        """What "Re-execute from failure" does; the new run's id."""
        answer = self.query(
            """mutation($p: ReexecutionParams!) { launchPipelineReexecution(reexecutionParams: $p) {
                 __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }""",
            p={"parentRunId": run_id, "strategy": "FROM_FAILURE"},
        )["launchPipelineReexecution"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return answer["run"]["runId"]

    def backfill_is_complete(self) -> bool:
        """Whether the newest backfill is, failed partitions or not."""
        answer = self.query(
            "{ partitionBackfillsOrError(limit: 1) { ... on PartitionBackfills { results { status } } } }"
        )
        return any(
            backfill["status"].startswith("COMPLETED")
            for backfill in answer["partitionBackfillsOrError"]["results"]
        )

    def partition_counts(self, asset: str) -> dict[str, int]:
        """How many partitions the UI shows as what."""
        return self.query(
            """query($k: AssetKeyInput!) { assetNodeOrError(assetKey: $k) { ... on AssetNode { partitionStats {
                 numMaterialized numFailed numMaterializing numPartitions } } } }""",
            k={"path": [self.data_set, asset]},
        )["assetNodeOrError"]["partitionStats"]


@contextmanager
def running_dagster(
    project: Project, data_set: str = "tested", *, python: Path | None = None
) -> Iterator[DagsterDev]:
    """`dagster dev` in the project's folder, as the Makefile starts it; by another environment's `python`,
    and then without naming the folder in DAGSTER_HOME.
    """
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    dev = DagsterDev(project, f"http://127.0.0.1:{port}", data_set)
    log = project.folder / "dagster_dev.log"
    dagster = [str(python), "-m", "dagster"] if python else [str(BIN / "dagster")]
    home = {} if python else {"DAGSTER_HOME": str(project.folder)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*dagster, "dev", "-m", LOCATION, "-h", "127.0.0.1", "-p", str(port)],
            cwd=project.folder,
            env={**project.environment, **home},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            wait_for(lambda: _answers(dev, process), f"dagster dev, see {log}", _STARTED_WITHIN_S)
            yield dev
        finally:
            _stop(process)


def _answers(dev: DagsterDev, process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None, f"dagster dev ended with {process.returncode}"
    try:
        loaded = dev.query("{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }")
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
    return bool(loaded["repositoriesOrError"].get("nodes"))


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Ends it as Ctrl-C does, and whatever of its session is left after that."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return

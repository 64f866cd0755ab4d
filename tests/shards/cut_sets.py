"""Data sets in shards for tests: a project, what its endpoint was asked, and what Dagster shows of each shard."""

import json
import os
from pathlib import Path

import dagster as dg

from tests.doors.project import Project, endpoint_settings, make_project
from tests.endpoints.server import SimulatedEndpoint
from tests.endurance.runs import Run

UNMEASURED = "image_grounding.vlm.measure=false"


def cut_project(folder: Path, endpoint: SimulatedEndpoint, rows: list[dict[str, object]]) -> Project:
    project = make_project(folder, endpoint_settings(endpoint))
    project.write_input(rows)
    spec = project.spec.read_text(encoding="utf-8")
    project.spec.write_text(spec.replace("{name: tested,", "{name: tested, shard_size: 4,"), encoding="utf-8")
    return project


def shard_results(project: Project) -> Path:
    return project.results / "shards"


def materialized_shards(project: Project) -> set[str]:
    """Partitions of `annotated_shard` that Dagster shows as materialized."""
    before = os.environ.get("DAGSTER_HOME")
    os.environ["DAGSTER_HOME"] = str(project.folder)
    try:
        with dg.DagsterInstance.get() as instance:
            return instance.get_materialized_partitions(dg.AssetKey(["tested", "annotated_shard"]))
    finally:
        if before is None:
            del os.environ["DAGSTER_HOME"]
        else:
            os.environ["DAGSTER_HOME"] = before


def calls_booked(project: Project) -> int:
    """Of the data set's one account."""
    rows = [json.loads(line) for line in (project.results / "calls.jsonl").read_bytes().splitlines()]
    return sum(row["calls"] for row in rows if "booked" in row)


def workers_of(run: Run) -> list[int]:
    """The processes that it started to work on shards."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            command = (status.parent / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == run.pid and b"shards.worker" in command:
            found.append(int(status.parent.name))
    return found

"""What lies on disk of a project, and what Dagster itself shows: partitions by status, runs that are not over."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from tests.doors.project import Project

STEP_FOLDERS = {"0": "step_0_expression_extraction", "1": "step_1_grounding"}
_UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def ids_on_disk(project: Project, step: str) -> set[str]:
    """The samples that have a checkpoint."""
    return {file.stem for file in project.results.glob(f"{STEP_FOLDERS[step]}/.ckpt/*.json")}


@contextmanager
def instance_of(project: Project) -> Iterator[dg.DagsterInstance]:
    """The instance in the project's folder."""
    before = os.environ.get("DAGSTER_HOME")
    os.environ["DAGSTER_HOME"] = str(project.folder)
    try:
        with dg.DagsterInstance.get() as instance:
            yield instance
    finally:
        del os.environ["DAGSTER_HOME"]
        if before is not None:
            os.environ["DAGSTER_HOME"] = before


def partitions_by_status(project: Project, asset: str, name: str = "tested") -> dict[str, set[str]]:
    """The partition keys that are shown as materialized, failed and materializing."""
    partitions = dg.DynamicPartitionsDefinition(name=f"{name}/samples")
    with instance_of(project) as instance:
        known = set(instance.get_dynamic_partitions(f"{name}/samples"))
        value = get_and_update_asset_status_cache_value(instance, dg.AssetKey([name, asset]), partitions)
        if value is None:
            return {"materialized": set(), "failed": set(), "materializing": set()}
        failed = set(value.deserialize_failed_partition_subsets(partitions).get_partition_keys())
        going = set(value.deserialize_in_progress_partition_subsets(partitions).get_partition_keys())
        done = set(value.deserialize_materialized_partition_subsets(partitions).get_partition_keys())
    return {
        "materialized": (done - failed - going) & known,
        "failed": failed & known,
        "materializing": going & known,
    }


def unfinished_runs(project: Project) -> list[str]:
    """Ids of runs that Dagster takes for alive."""
    with instance_of(project) as instance:
        return [run.run_id for run in instance.get_runs(filters=dg.RunsFilter(statuses=_UNFINISHED))]

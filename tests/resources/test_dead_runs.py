"""A run whose process was killed stops being in progress, and no other run is touched."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from resources.dead_runs import HOST_TAG, PID_TAG, START_TAG, fail_dead_runs, process_tags
from tests.corpus import PROJECT
from tests.resources.event_log.support import (
    EXPRESSIONS,
    GROUNDINGS,
    PARTITION_SET,
    batched_instance,
    status,
)

KEYS = [f"s{i:02d}" for i in range(10)]
DONE = set(KEYS[:4])


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with batched_instance(tmp_path) as instance:
        instance.add_dynamic_partitions(PARTITION_SET, KEYS)
        yield instance


def start_run(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """A process in the middle of a run, and the run's id."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.resources.event_log.run_process", str(folder)],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def add_run(instance: dg.DagsterInstance, tags: dict[str, str], status: dg.DagsterRunStatus) -> dg.DagsterRun:
    return instance.add_run(dg.DagsterRun(job_name="annotate_job", tags=tags, status=status))


def test_a_killed_run_is_failed_and_only_its_unfinished_partitions(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    process, run_id = start_run(tmp_path)
    unfinished = {"materialized": DONE, "failed": set(), "in_progress": set(KEYS) - DONE}
    assert status(instance, EXPRESSIONS) == status(instance, GROUNDINGS) == unfinished
    assert fail_dead_runs(instance) == []
    assert status(instance, GROUNDINGS) == unfinished

    process.kill()
    process.communicate()
    assert status(instance, GROUNDINGS) == unfinished
    assert fail_dead_runs(instance) == [run_id]

    run = instance.get_run_by_id(run_id)
    assert run is not None and run.status == dg.DagsterRunStatus.FAILURE
    ended = {"materialized": DONE, "failed": set(KEYS) - DONE, "in_progress": set()}
    assert status(instance, EXPRESSIONS) == status(instance, GROUNDINGS) == ended
    last = instance.get_records_for_run(run_id).records[-1].event_log_entry
    assert f"Process {process.pid} on " in last.message and "killed" in last.message
    assert fail_dead_runs(instance) == []


def test_a_killed_process_that_nobody_waited_for_counts_as_gone(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    process, run_id = start_run(tmp_path)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert fail_dead_runs(instance) == [run_id]
    process.communicate()


def test_a_run_that_ends_by_itself_keeps_its_status(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    process, run_id = start_run(tmp_path)
    process.communicate("go on\n")
    assert fail_dead_runs(instance) == []
    run = instance.get_run_by_id(run_id)
    assert run is not None and run.status == dg.DagsterRunStatus.SUCCESS


def test_a_process_id_in_use_again_does_not_keep_a_run_alive(instance: dg.DagsterInstance) -> None:
    own = add_run(instance, process_tags(), dg.DagsterRunStatus.STARTED)
    earlier = add_run(instance, {**process_tags(), START_TAG: "another start"}, dg.DagsterRunStatus.STARTED)
    assert fail_dead_runs(instance) == [earlier.run_id]
    run = instance.get_run_by_id(own.run_id)
    assert run is not None and run.status == dg.DagsterRunStatus.STARTED


@pytest.fixture
def dead_tags() -> dict[str, str]:
    """The tags of a process that has ended."""
    script = "import json, resources.dead_runs as runs; print(json.dumps(runs.process_tags()))"
    ended = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, check=True)
    return json.loads(ended.stdout)


UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@pytest.mark.parametrize("before", UNFINISHED)
def test_every_unfinished_status_ends(
    instance: dg.DagsterInstance, dead_tags: dict[str, str], before: dg.DagsterRunStatus
) -> None:
    run = add_run(instance, dead_tags, before)
    assert fail_dead_runs(instance) == [run.run_id]


def test_what_is_not_known_to_be_dead_is_left_alone(
    instance: dg.DagsterInstance, dead_tags: dict[str, str]
) -> None:
    started = dg.DagsterRunStatus.STARTED
    elsewhere = add_run(instance, {**dead_tags, HOST_TAG: "another-host"}, started)
    add_run(instance, {}, started)
    add_run(instance, {HOST_TAG: dead_tags[HOST_TAG]}, started)
    for pid in ("", "0", "-1", "1e3", "9" * 30, "12; rm"):
        add_run(instance, {**dead_tags, PID_TAG: pid}, started)
    add_run(instance, dead_tags, dg.DagsterRunStatus.FAILURE)
    add_run(instance, dead_tags, dg.DagsterRunStatus.SUCCESS)
    assert fail_dead_runs(instance) == []
    assert fail_dead_runs(instance, host="another-host") == [elsewhere.run_id]

"""A run whose process was killed stops being in progress, and no other run is touched."""

import multiprocessing
import os
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.tags import HIDDEN_TAG_PREFIX

from resources.dead_runs import PROCESS_TAG, RunProcess, fail_dead_runs, process_tags
from tests import forked
from tests.resources.event_log.run_process import begin_run, tell_itself
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


def own_child(work: Callable[..., object], *arguments: object) -> BaseProcess:
    """A process that nobody waits for but this one; it takes seconds to import what it needs."""
    child = multiprocessing.get_context("spawn").Process(target=work, args=arguments, daemon=True)
    child.start()
    return child


def start_run(
    folder: Path, process: Callable[..., BaseProcess] = forked.process
) -> tuple[BaseProcess, Connection, str]:
    """A process in the middle of a run, what lets it go on, and the run's id."""
    ours, theirs = multiprocessing.Pipe()
    started = process(begin_run, folder, theirs)
    theirs.close()
    return started, ours, ours.recv()


def add_run(instance: dg.DagsterInstance, tags: dict[str, str], status: dg.DagsterRunStatus) -> dg.DagsterRun:
    return instance.add_run(dg.DagsterRun(job_name="annotate_job", tags=tags, status=status))


def test_a_killed_run_is_failed_and_only_its_unfinished_partitions(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    process, _connection, run_id = start_run(tmp_path)
    unfinished = {"materialized": DONE, "failed": set(), "in_progress": set(KEYS) - DONE}
    assert status(instance, EXPRESSIONS) == status(instance, GROUNDINGS) == unfinished
    assert fail_dead_runs(instance) == []
    assert status(instance, GROUNDINGS) == unfinished

    process.kill()
    process.join()
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
    process, _connection, run_id = start_run(tmp_path, own_child)
    assert process.pid is not None
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert fail_dead_runs(instance) == [run_id]
    process.join()


def test_a_run_that_ends_by_itself_keeps_its_status(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    process, connection, run_id = start_run(tmp_path)
    connection.send("go on")
    process.join()
    assert fail_dead_runs(instance) == []
    run = instance.get_run_by_id(run_id)
    assert run is not None and run.status == dg.DagsterRunStatus.SUCCESS


def test_a_process_id_in_use_again_does_not_keep_a_run_alive(instance: dg.DagsterInstance) -> None:
    own = add_run(instance, process_tags(), dg.DagsterRunStatus.STARTED)
    before = RunProcess.own().model_copy(update={"start": "another start"})
    earlier = add_run(instance, before.to_tags(), dg.DagsterRunStatus.STARTED)
    assert fail_dead_runs(instance) == [earlier.run_id]
    run = instance.get_run_by_id(own.run_id)
    assert run is not None and run.status == dg.DagsterRunStatus.STARTED


@pytest.fixture(scope="module")
def dead() -> RunProcess:
    """A process that has ended."""
    ours, theirs = multiprocessing.Pipe()
    process = forked.process(tell_itself, theirs)
    told = ours.recv()
    process.join()
    return told


UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@pytest.mark.parametrize("before", UNFINISHED)
def test_every_unfinished_status_ends(
    instance: dg.DagsterInstance, dead: RunProcess, before: dg.DagsterRunStatus
) -> None:
    run = add_run(instance, dead.to_tags(), before)
    assert fail_dead_runs(instance) == [run.run_id]


@pytest.mark.parametrize(
    "differing",
    [
        {"host": "another-host"},
        {"pid_namespace": "pid:[4026530000]"},
        {"run_id": "the run it was copied from"},
    ],
    ids=lambda differing: next(iter(differing)),
)
def test_processes_that_cannot_be_seen_from_here_are_left_alone(
    instance: dg.DagsterInstance, dead: RunProcess, differing: dict[str, str]
) -> None:
    add_run(instance, dead.model_copy(update=differing).to_tags(), dg.DagsterRunStatus.STARTED)
    assert fail_dead_runs(instance) == []


@pytest.mark.parametrize("tag", ["", "{}", "12; rm", '{"pid": 1}', "[1]", "null"])
def test_a_tag_that_names_no_process_condemns_nobody(instance: dg.DagsterInstance, tag: str) -> None:
    add_run(instance, {PROCESS_TAG: tag}, dg.DagsterRunStatus.STARTED)
    assert fail_dead_runs(instance) == []


@pytest.mark.parametrize("pid", [0, -1, 10**30])
def test_a_process_id_that_no_system_gives_condemns_nobody(
    instance: dg.DagsterInstance, dead: RunProcess, pid: int
) -> None:
    add_run(instance, dead.model_copy(update={"pid": pid}).to_tags(), dg.DagsterRunStatus.STARTED)
    assert fail_dead_runs(instance) == []


def test_runs_that_have_ended_keep_their_status(instance: dg.DagsterInstance, dead: RunProcess) -> None:
    add_run(instance, dead.to_tags(), dg.DagsterRunStatus.FAILURE)
    add_run(instance, dead.to_tags(), dg.DagsterRunStatus.SUCCESS)
    assert fail_dead_runs(instance) == []


def test_run_monitoring_is_left_to_judge_by_itself(tmp_path: Path, dead: RunProcess) -> None:
    monitored = {"run_monitoring": {"enabled": True}}
    with dg.instance_for_test(temp_dir=str(tmp_path), overrides=monitored) as instance:
        add_run(instance, dead.to_tags(), dg.DagsterRunStatus.STARTED)
        assert fail_dead_runs(instance) == []


def test_dagster_hides_the_tag() -> None:
    assert list(process_tags()) == [PROCESS_TAG] and PROCESS_TAG.startswith(HIDDEN_TAG_PREFIX)

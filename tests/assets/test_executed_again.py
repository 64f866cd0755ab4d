"""A run that is executed again in the UI gets its parent's tags: they must not pass for its own."""

import subprocess
import sys

import dagster as dg

from resources.dead_runs import PROCESS_TAG, RunProcess, claim_run, fail_dead_runs
from tests.corpus import PROJECT
from tests.storages import fresh_instance

_PROCESS = "from resources.dead_runs import RunProcess; print(RunProcess.own().model_dump_json())"


def process_that_has_ended() -> RunProcess:
    printed = subprocess.run([sys.executable, "-c", _PROCESS], cwd=PROJECT, capture_output=True, check=True)
    return RunProcess.model_validate_json(printed.stdout)


def started(instance: dg.DagsterInstance, tags: dict[str, str]) -> dg.DagsterRun:
    return instance.add_run(dg.DagsterRun("a job", tags=tags, status=dg.DagsterRunStatus.STARTED))


def test_tags_of_another_run_condemn_nobody() -> None:
    with fresh_instance() as instance:
        ended = process_that_has_ended()
        parent = started(instance, {})
        copied = ended.model_copy(update={"run_id": parent.run_id}).to_tags()
        instance.add_run_tags(parent.run_id, copied)
        child = started(instance, copied)

        assert fail_dead_runs(instance) == [parent.run_id]
        claim_run(instance, child)
        claimed = instance.get_run_by_id(child.run_id)
        assert claimed is not None
        assert claimed.tags[PROCESS_TAG] != copied[PROCESS_TAG]
        assert RunProcess.of(claimed) == RunProcess.own(child.run_id)
        assert fail_dead_runs(instance) == []

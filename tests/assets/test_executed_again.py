"""A run that is executed again in the UI gets its parent's tags: they must not pass for its own."""

import json
import subprocess
import sys
from pathlib import Path

import dagster as dg

from resources.dead_runs import PID_TAG, RUN_TAG, claim_run, fail_dead_runs
from tests.corpus import PROJECT
from tests.resources.event_log.support import batched_instance

_TAGS = "import json; from resources.dead_runs import process_tags; print(json.dumps(process_tags()))"


def tags_of_a_process_that_has_ended() -> dict[str, str]:
    printed = subprocess.run([sys.executable, "-c", _TAGS], cwd=PROJECT, capture_output=True, check=True)
    return json.loads(printed.stdout)


def started(instance: dg.DagsterInstance, tags: dict[str, str]) -> dg.DagsterRun:
    return instance.add_run(dg.DagsterRun("a job", tags=tags, status=dg.DagsterRunStatus.STARTED))


def test_tags_of_another_run_condemn_nobody(tmp_path: Path) -> None:
    with batched_instance(tmp_path) as instance:
        ended = tags_of_a_process_that_has_ended()
        parent = started(instance, ended)
        instance.add_run_tags(parent.run_id, {RUN_TAG: parent.run_id})
        child = started(instance, {**ended, RUN_TAG: parent.run_id})

        assert fail_dead_runs(instance) == [parent.run_id]
        claim_run(instance, child)
        claimed = instance.get_run_by_id(child.run_id)
        assert claimed is not None
        assert claimed.tags[RUN_TAG] == child.run_id
        assert claimed.tags[PID_TAG] != ended[PID_TAG]
        assert fail_dead_runs(instance) == []

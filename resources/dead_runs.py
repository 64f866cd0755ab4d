"""Finds runs whose process was killed and reports them as failed, so their partitions stop "materializing".

For runs that this project starts itself, on POSIX systems. Runs launched by Dagster's daemon are watched
by the daemon; what a failed run means for its samples is not decided here.
"""

import os
import re
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter

HOST_TAG, PID_TAG, START_TAG = "grounding/host", "grounding/pid", "grounding/process_start"
RUN_TAG = "grounding/run"
"""The run that the other tags were given to: executing it again copies them to a run of another process."""

_PROCESS_NEEDED = [
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]


def process_tags() -> dict[str, str]:
    """Run tags that name the calling process: host, process id and start, which tells a reused id apart."""
    pid = os.getpid()
    start = _start_of(pid)
    if start is None:
        raise OSError(f"the start time of the own process {pid} cannot be read")
    return {HOST_TAG: socket.gethostname(), PID_TAG: str(pid), START_TAG: start}


def claim_run(instance: DagsterInstance, run: DagsterRun) -> None:
    """Tags a run as this process's, whichever door started it and whatever tags it was given."""
    tags = {**process_tags(), RUN_TAG: run.run_id}
    if not tags.items() <= run.tags.items():
        instance.add_run_tags(run.run_id, tags)


def fail_dead_runs(instance: DagsterInstance, host: str | None = None) -> list[str]:
    """Reports every unfinished run of `host` (default: this one) as failed whose process is gone.

    Only runs with all of `process_tags` are looked at. Their partitions that were planned and not
    materialized become FAILED, and the others keep their status. Returns the ids of the reported runs.
    """
    tags = {HOST_TAG: host or socket.gethostname()}
    failed = []
    for run in instance.get_runs(filters=RunsFilter(tags=tags, statuses=_PROCESS_NEEDED)):
        if run.tags.get(RUN_TAG, run.run_id) != run.run_id or not _process_is_gone(run.tags):
            continue
        # The process may have finished its run after the list was read; now nobody changes it any more.
        unchanged = instance.get_run_by_id(run.run_id)
        if unchanged is None or unchanged.status not in _PROCESS_NEEDED:
            continue
        instance.report_run_failed(
            unchanged,
            f"Process {run.tags[PID_TAG]} on {run.tags[HOST_TAG]} ended without finishing this run, probably "
            "because it was killed. Its finished samples are kept; start a new run for the others.",
        )
        failed.append(run.run_id)
    return failed


def _process_is_gone(tags: Mapping[str, str]) -> bool:
    pid, start = tags.get(PID_TAG, ""), tags.get(START_TAG)
    if start is None or not re.fullmatch(r"[1-9][0-9]{0,8}", pid):
        return False
    return not _exists(int(pid)) or _start_of(int(pid)) not in (start, None)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _start_of(pid: int) -> str | None:
    """When the process started, in a form to compare only; None where the system does not tell."""
    if not Path("/proc/self/stat").exists():
        ps = subprocess.run(
            ["ps", "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        state, _, start = ps.stdout.strip().partition(" ")
        return _named(state, start.strip()) if start else None
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    # proc_pid_stat(5): field 2 is the name in parentheses, 3 the state, 22 the start in ticks since boot.
    fields = status.rpartition(")")[2].split()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return _named(fields[0], f"{boot}/{fields[19]}")


def _named(state: str, start: str) -> str:
    """A zombie has ended though its id is still taken, so it must equal no start."""
    return f"{start} (ended)" if state.startswith(("Z", "X")) else start

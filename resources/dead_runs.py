"""Finds runs whose process was killed and reports them as failed, so their partitions stop "materializing".

For runs that this project starts itself, on POSIX systems. Runs launched by Dagster's daemon are watched
by the daemon, and so is everything if its run monitoring is on; what a failed run means for its samples is
not decided here.
"""

import os
import socket
import subprocess
from pathlib import Path
from typing import Self

from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from grounding_assets.core.files import is_running

PROCESS_TAG = ".dagster/grounding-process"
"""Which process works on a run. Dagster hides tags with this prefix from its pages."""

_PROCESS_NEEDED = [
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]


class RunProcess(BaseModel):
    """The process that works on a run, told apart from every other one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str
    pid_namespace: str
    """Names the space that `pid` belongs to: two containers of one machine count their processes apart."""
    pid: int = Field(ge=1, lt=2**31)
    start: str
    """When the process started, which tells a process id that is used again apart."""
    run_id: str = ""
    """The run that was tagged: executing it again copies its tags to a run of another process."""

    @classmethod
    def own(cls, run_id: str = "") -> Self:
        pid = os.getpid()
        start = _start_of(pid)
        if start is None:
            raise OSError(f"the start time of the own process {pid} cannot be read")
        return cls(
            host=socket.gethostname(), pid_namespace=_pid_namespace(), pid=pid, start=start, run_id=run_id
        )

    @classmethod
    def of(cls, run: DagsterRun) -> Self | None:
        """None if the run has no such tag, or only a copy of another run's."""
        try:
            process = cls.model_validate_json(run.tags.get(PROCESS_TAG, ""))
        except ValidationError:
            return None
        return process if process.run_id in ("", run.run_id) else None

    def to_tags(self) -> dict[str, str]:
        return {PROCESS_TAG: self.model_dump_json()}

    def is_gone(self) -> bool:
        """Whether it has ended; False if that cannot be seen from here."""
        if self.host != socket.gethostname() or self.pid_namespace != _pid_namespace():
            return False
        return not is_running(self.pid) or _start_of(self.pid) not in (self.start, None)


def process_tags() -> dict[str, str]:
    """Run tags that name the calling process."""
    return RunProcess.own().to_tags()


def claim_run(instance: DagsterInstance, run: DagsterRun) -> None:
    """Tags a run as this process's, whichever door started it and whatever tags it was given."""
    own = RunProcess.own(run.run_id)
    if RunProcess.of(run) != own:
        instance.add_run_tags(run.run_id, own.to_tags())


def is_over(instance: DagsterInstance, run_id: str) -> bool:
    """Whether a run is known to have ended or to have lost its process; one of another instance is not known at all."""
    run = instance.get_run_by_id(run_id) if run_id else None
    if run is None:
        return False
    process = RunProcess.of(run)
    return run.is_finished or (process is not None and process.is_gone())


def fail_dead_runs(instance: DagsterInstance) -> list[str]:
    """Reports every unfinished run as failed whose process is known to have ended.

    Their partitions that were planned and not materialized become FAILED, and the others keep their status.
    Does nothing if Dagster's run monitoring is on, which watches runs across machines. Returns the ids of
    the reported runs.
    """
    if instance.run_monitoring_enabled:
        return []
    failed = []
    for run in instance.get_runs(filters=RunsFilter(statuses=_PROCESS_NEEDED)):
        process = RunProcess.of(run)
        if process is None or not process.is_gone():
            continue
        # The process may have finished its run after the list was read; now nobody changes it any more.
        unchanged = instance.get_run_by_id(run.run_id)
        if unchanged is None or unchanged.status not in _PROCESS_NEEDED:
            continue
        instance.report_run_failed(
            unchanged,
            f"Process {process.pid} on {process.host} ended without finishing this run, probably because it was "
            "killed. Its finished samples are kept; start a new run for the others.",
        )
        failed.append(run.run_id)
    return failed


def _pid_namespace() -> str:
    """Empty on systems that have none."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _start_of(pid: int) -> str | None:
    """When the process started, in a form to compare only; None if the system does not tell."""
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

"""One `auto_label generate` as a process of its own: what it took, and how it ended."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_LOOK_EVERY_S = 0.2
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Ended:
    """What one process took, start-up and rollups included, and how it ended."""

    seconds: float
    cpu_s: float
    peak_mb: float
    code: int
    output: str
    others_cpu_s: float
    """CPU that everything else on the machine took meanwhile, the endpoint included."""

    def checked(self) -> "Ended":
        """Itself. Raises SystemExit with what it printed where it did not end with 0."""
        if self.code != 0:
            raise SystemExit(self.output)
        return self

    def shown(self, what: str) -> str:
        return f"{what}: {self.seconds:.1f} s, {self.cpu_s:.1f} s of CPU, peak {self.peak_mb:.0f} MB, {self.others_cpu_s / self.seconds:.1f} cores busy beside it"


def generate(folder: Path, *overrides: str, until: Callable[[], bool] | None = None) -> Ended:
    """Runs it over the folder's spec; kills it with -9 once `until` is true, if it is given."""
    command = [sys.executable, "-m", "grounding_assets.cli", "generate", "-e", "spec.yaml", *overrides]
    busy, begun = busy_cpu_s(), time.monotonic()
    with (
        (folder / "output.txt").open("w+b") as output,
        subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT) as process,
    ):
        if until is not None:
            while not _has_ended(process.pid) and not until():
                time.sleep(_LOOK_EVERY_S)
            process.kill()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds, cpu_s = time.monotonic() - begun, usage.ru_utime + usage.ru_stime
        output.seek(0)
        return Ended(
            seconds,
            cpu_s,
            usage.ru_maxrss / 1024,
            process.returncode,
            output.read().decode(),
            busy_cpu_s() - busy - cpu_s,
        )


def _has_ended(pid: int) -> bool:
    # not `poll`: it would take the figures with it
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def busy_cpu_s() -> float:
    """Seconds that all cores together have worked since the machine's start; Linux only."""
    user, nice, system, _idle, _waiting, irq, softirq = map(int, Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + irq + softirq) / _TICKS


def cpu_of_s(pid: int) -> float:
    """Seconds of CPU that a running process has taken; Linux only."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS

"""100,000 samples through `auto_label generate`, killed once and resumed, then run again and opened in the web UI.

    python -m bench.long_run [samples]

The endpoint simulates nothing but 20 ms of latency, in a process of its own. Killed with -9 after a third of
the calls. Takes some 15 minutes and 2 GB of disk at 100,000 samples; page times need Debian's chromium and
chromium-driver.
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.throughput import CALLS_PER_SAMPLE, write_images, write_project
from tests.doors.project import Project
from tests.endpoints.process import RemoteEndpoint, launched
from tests.report.browser import CHROMIUM, opened_browser
from tests.ui.dagster_dev import running_dagster
from tests.ui.pages import DagsterPages

WORKERS, LATENCY_S = 256, 0.02


@dataclass(frozen=True)
class Ended:
    """How one process ended."""

    seconds: float
    cpu_s: float
    peak_mb: float
    code: int
    output: str

    def shown(self, what: str) -> str:
        return f"{what}: {self.seconds:.1f} s, {self.cpu_s:.1f} s of CPU, peak {self.peak_mb:.0f} MB"


def main() -> None:
    samples = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    print(
        f"{time.strftime('%Y-%m-%d %H:%M')}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    with (
        tempfile.TemporaryDirectory() as temporary,
        launched("vllm", "--cheap", "--keep-requests", "1", "--latency", str(LATENCY_S)) as endpoint,
    ):
        folder = Path(temporary)
        write_images(folder)
        write_project(folder, endpoint.base_url, samples)
        killed = generate(folder, endpoint, kill_after=samples * CALLS_PER_SAMPLE // 3)
        print(killed.shown("killed with -9 after a third"), flush=True)
        resumed = generate(folder, endpoint)
        check(resumed)
        print(resumed.shown("resumed to the end"))
        needed = samples * CALLS_PER_SAMPLE
        print(f"calls: {calls(endpoint):,} for {needed:,} that were needed", flush=True)
        before = calls(endpoint)
        idle = generate(folder, endpoint)
        check(idle)
        assert calls(endpoint) == before, "a run with nothing to do called the endpoint"
        print(idle.shown("nothing to do"))
        lines = sum(1 for _ in (folder / "results" / "annotations.jsonl").open("rb"))
        assert lines == samples, f"{lines} lines of {samples}"
        write_project(folder / "one", endpoint.base_url, 1)
        print(
            start_up(folder / "one", endpoint).shown("one sample and nothing to do, for comparison"),
            flush=True,
        )
        if CHROMIUM is None:
            print("no chromium: the web UI was not opened")
        else:
            time_pages(folder, samples)


def generate(folder: Path, endpoint: RemoteEndpoint, kill_after: int | None = None) -> Ended:
    """One `auto_label generate`; killed once the endpoint has answered so many calls."""
    command = [sys.executable, "-m", "grounding_assets.cli", "generate", "-e", "spec.yaml",
               f"image_grounding.workflow.max_workers={WORKERS}"]  # fmt: skip
    begun = time.monotonic()
    with (
        (folder / "output.txt").open("w+b") as output,
        subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT) as process,
    ):
        while kill_after is not None and process.poll() is None and calls(endpoint) < kill_after:
            time.sleep(0.2)
        if kill_after is not None:
            process.kill()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        return Ended(
            time.monotonic() - begun,
            usage.ru_utime + usage.ru_stime,
            usage.ru_maxrss / 1024,
            process.returncode,
            output.read().decode(),
        )


def start_up(folder: Path, endpoint: RemoteEndpoint) -> Ended:
    write_images(folder)
    check(generate(folder, endpoint))
    return generate(folder, endpoint)


def check(ended: Ended) -> None:
    if ended.code != 0:
        raise SystemExit(ended.output)


def calls(endpoint: RemoteEndpoint) -> int:
    return int(endpoint.stats()["total"])


def time_pages(folder: Path, samples: int) -> None:
    """From navigation until the page says how many partitions are materialized."""
    with running_dagster(Project(folder), "bench") as dev, opened_browser() as browser:
        page = DagsterPages(browser, dev)
        for opening in ("first", "second", "third"):
            begun = time.monotonic()
            page.open("/assets/bench/groundings?view=partitions", f"Materialized ({samples}")
            print(f"the page of groundings, {opening} opening: {time.monotonic() - begun:.1f} s", flush=True)


if __name__ == "__main__":
    main()

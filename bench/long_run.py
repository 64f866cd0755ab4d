"""100,000 samples through `auto_label generate`, killed once and resumed, then run again and opened in the web UI.

    python -m bench.long_run [samples]

The endpoint simulates nothing but 20 ms of latency, in a process of its own. Killed with -9 after a third of
the calls. Takes some 15 minutes and 2 GB of disk at 100,000 samples; page times need Debian's chromium and
chromium-driver.
"""

import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.command import Ended, generate
from bench.throughput import CALLS_PER_SAMPLE, machine, write_images, write_project
from tests.doors.project import Project
from tests.endpoints.process import RemoteEndpoint, launched
from tests.report.browser import CHROMIUM, opened_browser
from tests.ui.dagster_dev import running_dagster
from tests.ui.pages import DagsterPages

LATENCY_S = 0.02
WORKERS = "image_grounding.workflow.max_workers=256"
SAMPLES = 100_000
TELL_EVERY_S = 30.0


@dataclass(frozen=True)
class LongRun:
    """What each part took."""

    killed: Ended
    resumed: Ended
    idle: Ended
    start_up: Ended
    """One sample and nothing to do."""
    pages_s: tuple[float, ...]
    """From navigation until the page of `groundings` says how many partitions are materialized; none without a browser."""

    @property
    def idle_after_start_up_s(self) -> float:
        return self.idle.seconds - self.start_up.seconds

    @property
    def both_parts_s(self) -> float:
        return self.killed.seconds + self.resumed.seconds

    @property
    def peak_mb(self) -> float:
        return max(self.killed.peak_mb, self.resumed.peak_mb)


def measure(samples: int) -> LongRun:
    """Prints how far it is, and what each part took as it ends.

    Raises SystemExit or AssertionError where a run does not end as it should.
    """
    needed = samples * CALLS_PER_SAMPLE
    with (
        tempfile.TemporaryDirectory() as temporary,
        launched("vllm", "--cheap", "--keep-requests", "1", "--latency", str(LATENCY_S)) as endpoint,
    ):
        folder = Path(temporary)
        write_images(folder)
        write_project(folder, endpoint.base_url, samples)
        with _telling_how_far(endpoint, needed):
            killed = generate(folder, WORKERS, until=lambda: _calls(endpoint) >= needed // 3)
            print(killed.shown("killed with -9 after a third"), flush=True)
            resumed = generate(folder, WORKERS).checked()
        answered = _calls(endpoint)
        print(resumed.shown("resumed to the end"))
        print(f"calls: {answered:,} for {needed:,} that were needed", flush=True)
        idle = generate(folder, WORKERS).checked()
        print(idle.shown("nothing to do"), flush=True)
        assert _calls(endpoint) == answered, "a run with nothing to do called the endpoint"
        lines = sum(1 for _ in (folder / "results" / "annotations.jsonl").open("rb"))
        assert lines == samples, f"{lines} lines of {samples}"
        start_up = _start_up(folder / "one", endpoint)
        print(start_up.shown("one sample and nothing to do, for comparison"), flush=True)
        pages_s = tuple(_time_pages(folder, samples))
        openings = ", ".join(f"{seconds:.1f}" for seconds in pages_s)
        print(
            f"the page of groundings, first and later openings: {openings} s"
            if pages_s
            else "no chromium: the web UI was not opened"
        )
        return LongRun(killed, resumed, idle, start_up, pages_s)


@contextmanager
def _telling_how_far(endpoint: RemoteEndpoint, needed: int) -> Iterator[None]:
    """A line now and then, for whoever waits."""
    ended, begun = threading.Event(), time.monotonic()

    def tell() -> None:
        while not ended.wait(TELL_EVERY_S):
            print(f"{time.monotonic() - begun:.0f} s: {_calls(endpoint):,} of {needed:,} calls", flush=True)

    telling = threading.Thread(target=tell)
    telling.start()
    try:
        yield
    finally:
        ended.set()
        telling.join()


def _start_up(folder: Path, endpoint: RemoteEndpoint) -> Ended:
    write_project(folder, endpoint.base_url, 1)
    write_images(folder)
    generate(folder, WORKERS).checked()
    return generate(folder, WORKERS).checked()


def _calls(endpoint: RemoteEndpoint) -> int:
    return int(endpoint.stats()["total"])


def _time_pages(folder: Path, samples: int) -> list[float]:
    if CHROMIUM is None:
        return []
    taken: list[float] = []
    with running_dagster(Project(folder), "bench") as dev, opened_browser() as browser:
        page = DagsterPages(browser, dev)
        for _ in range(3):
            begun = time.monotonic()
            page.open("/assets/bench/groundings?view=partitions", f"Materialized ({samples}")
            taken.append(time.monotonic() - begun)
    return taken


def main() -> None:
    print(machine(), flush=True)
    measure(int(sys.argv[1]) if len(sys.argv) > 1 else SAMPLES)


if __name__ == "__main__":
    main()

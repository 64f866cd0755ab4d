"""What it costs to book calls before they are sent: time of the event loop for each, alone and side by side.

    python -m bench.account [--calls 20000] [--workers 256] [--processes 4]

Nothing is sent. Each worker books a call, lets the others run, and settles it, as a run does.
"""

import argparse
import asyncio
import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Any

from grounding_assets.core.budget.account import Intent
from grounding_assets.core.budget.cost import Usage
from grounding_assets.core.budget.opening import open_account
from grounding_assets.core.spec.loading import validate_spec

INTENT, TAKEN = Intent(1300, 4096), Usage(1, 1291, 240)
_context = multiprocessing.get_context("forkserver")


def book_and_settle(folder: Path, calls: int, workers: int) -> tuple[float, float]:
    """Microseconds of CPU and of time that each call took."""
    spec = validate_spec(
        {"results_dir": "unused", "image_grounding": {"workflow": {"max_calls": 10**9}}},
        where="the benchmark",
    )

    async def run() -> tuple[float, float]:
        left = iter(range(calls))

        async def worker() -> None:
            for _ in left:
                booking = await account.book(INTENT)
                await asyncio.sleep(0)
                account.settle(booking, TAKEN)

        cpu, began = time.process_time(), time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(workers)))
        return time.process_time() - cpu, time.perf_counter() - began

    with open_account(spec, folder) as account:
        cpu_s, seconds = asyncio.run(run())
    return 1e6 * cpu_s / calls, 1e6 * seconds / calls


def _in_a_process(folder: Path, calls: int, workers: int, begin: Any, measured: Any) -> None:
    begin.wait()
    measured.put(book_and_settle(folder, calls, workers))


def side_by_side(folder: Path, calls: int, workers: int, processes: int) -> list[tuple[float, float]]:
    begin, measured = _context.Barrier(processes), _context.Queue()
    started = [
        _context.Process(target=_in_a_process, args=(folder, calls, workers, begin, measured))
        for _ in range(processes)
    ]
    for process in started:
        process.start()
    found = [measured.get() for _ in started]
    for process in started:
        process.join()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=256)
    parser.add_argument("--processes", type=int, default=4)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cpu, seconds = book_and_settle(folder, given.calls, given.workers)
        print(f"alone, {given.calls} calls: {cpu:.0f} us of CPU, {seconds:.0f} us a call")
        size = (folder / "calls.jsonl").stat().st_size
        began = time.perf_counter()
        book_and_settle(folder, 1, 1)
        print(f"opened again: {time.perf_counter() - began:.2f} s for {size / 1e6:.1f} MB")
        for cpu, seconds in side_by_side(folder, given.calls, given.workers, given.processes):
            print(f"one of {given.processes} processes: {cpu:.0f} us of CPU, {seconds:.0f} us a call")


if __name__ == "__main__":
    main()

"""One machine against its levels: every figure of the table in `bench/RESULTS.md`, measured in one run.

    python -m bench.one_machine [--scale 1.0] [--rounds 3]

Whole commands, start-up and rollups included. Of the rows that depend on chance, 64 and 256 workers, the median of the
rounds counts. A column says how many cores other work kept busy meanwhile: above 0.1 the machine is not quiet, and the
figures are lower bounds. `--scale 0.02` tries whether it works; its figures mean nothing. Takes some 20 minutes.
"""

import argparse
import dataclasses
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import long_run, throughput
from bench.long_run import LongRun
from bench.throughput import Row, Setting


@dataclass(frozen=True)
class Level:
    """One line of the table: what must be reached, what is aimed at, and what the peer reaches."""

    name: str
    must: float
    goal: float
    unit: str = ""
    peer: float | None = None
    """NVIDIA TAO's own code on a machine of the same kind, 2026-11-25: its `generate`, start-up not counted."""
    more_is_better: bool = False

    def line(self, here: float | None, *, judged: bool) -> str:
        peer = "" if self.peer is None else f"{self.peer:g}"
        found = "not measured" if here is None else f"{here:.3g}"
        if judged and here is not None:
            found += f" ({self._verdict(here)})"
        return f"| {self.name} | {self.must:g}{self.unit} | {self.goal:g}{self.unit} | {found} | {peer} |"

    def _verdict(self, here: float) -> str:
        for verdict, level in (("goal", self.goal), ("must", self.must)):
            if here >= level if self.more_is_better else here <= level:
                return verdict
        return "missed"


LEVELS: tuple[tuple[Level, Callable[["Measured"], float | None]], ...] = (
    (
        Level(
            "64 workers, 0.5 s, 2,000 samples: while annotating, share of ideal", 0.96, 0.98, "", 0.942, True
        ),
        lambda found: median(found.at_64, lambda row: row.share_of_ideal),
    ),
    (
        Level("the same, whole command, samples/s", 57, 59, "", 60.3, True),
        lambda found: median(found.at_64, lambda row: row.whole_rate),
    ),
    (
        Level("256 workers, 0.5 s, 5,000 samples, while annotating, samples/s", 190, 220, "", 110, True),
        lambda found: median(found.at_256, lambda row: row.rate),
    ),
    (
        Level("CPU per sample at 64, whole command", 6, 4.5, " ms", 8.3),
        lambda found: median(found.at_64, lambda row: row.cpu_ms),
    ),
    (
        Level("100k samples, 20 ms, 256 workers, killed once: memory", 290, 220, " MB"),
        lambda found: found.long_run.peak_mb,
    ),
    (
        Level("the same, both parts together", 480, 400, " s"),
        lambda found: found.long_run.both_parts_s,
    ),
    (
        Level("100k done, nothing to do, after start-up", 6, 4, " s"),
        lambda found: found.long_run.idle_after_start_up_s,
    ),
    (
        Level("the asset's page at 100k, first opening", 2.4, 1.5, " s"),
        lambda found: next(iter(found.long_run.pages_s), None),
    ),
)


@dataclass(frozen=True)
class Measured:
    """What the table's figures are taken from."""

    at_64: Sequence[Row]
    at_256: Sequence[Row]
    long_run: LongRun


def median(rows: Sequence[Row], figure: Callable[[Row], float]) -> float:
    return statistics.median(map(figure, rows))


def rows(setting: Setting, rounds: int, folder: Path) -> Iterator[Row]:
    for number in range(rounds):
        row = throughput.measure(setting, folder / f"{setting.workers}-{number}")
        print(row.shown(), flush=True)
        yield row


def table(found: Measured, scale: float) -> str:
    lines = [
        "| 2 cores, endpoint beside it, 640x480 JPEGs of 190 kB, whole command | must | goal | here | TAO |"
    ]
    lines.append("|---|---|---|---|---|")
    lines += [level.line(figure(found), judged=scale == 1) for level, figure in LEVELS]
    if scale != 1:
        lines.append(
            f"\nAt a scale of {scale:g}: start-up weighs more than it should, so no figure can be compared."
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of samples")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    at_64, at_256 = (
        dataclasses.replace(setting, samples=max(1, round(setting.samples * given.scale)))
        for setting in (throughput.AT_64, throughput.AT_256)
    )
    print(f"{throughput.machine()}\n\n{throughput.HEADER}", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        found_64, found_256 = (list(rows(setting, given.rounds, folder)) for setting in (at_64, at_256))
    print(f"\n{round(long_run.SAMPLES * given.scale):,} samples:", flush=True)
    long = long_run.measure(max(10, round(long_run.SAMPLES * given.scale)))
    print(f"\n{table(Measured(found_64, found_256, long), given.scale)}")


if __name__ == "__main__":
    main()

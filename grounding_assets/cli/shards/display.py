"""One progress line for all shards, whichever process works on them."""

import time
from collections.abc import Sequence
from typing import NamedTuple

from grounding_assets.cli.terminal import ProgressLine, duration, notice
from grounding_assets.core.annotation.summary import RunSummary


class ShardCounts(NamedTuple):
    """How far a run of one shard is."""

    done_before: int = 0
    done: int = 0
    failed: int = 0
    in_flight: int = 0

    @classmethod
    def of(cls, summary: RunSummary) -> "ShardCounts":
        in_flight = min(summary.in_flight, summary.max_workers)
        return cls(summary.done_before, summary.done, summary.failed, in_flight)


class ShardsDisplay:
    """A line on standard error as long as the block lasts. A context manager."""

    def __init__(self, shards: int, samples: int):
        self._shards, self._samples = shards, samples
        self._counts: dict[str, ShardCounts] = {}
        self._complete: set[str] = set()
        self._begun = time.monotonic()
        self._line = ProgressLine(self._words)

    def __enter__(self) -> "ShardsDisplay":
        self._line.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._line.end()

    def notice(self, text: str) -> None:
        notice(text)

    def update(self, key: str, counts: Sequence[int]) -> None:
        self._counts[key] = ShardCounts(*counts)
        self._line.update()

    def ended(self, key: str, complete: int = 0) -> None:
        """Nobody works on the shard any more; `complete`: how many samples it has, if each has a result."""
        counts = self._counts.get(key)
        if counts is not None:
            self._counts[key] = counts._replace(in_flight=0)
        if complete:
            self._complete.add(key)
            self._counts.setdefault(key, ShardCounts(done_before=complete))

    def _words(self) -> str:
        done_before, done, failed, in_flight = map(
            sum, zip(ShardCounts(), *self._counts.values(), strict=True)
        )
        elapsed = time.monotonic() - self._begun
        rate = (done + failed) / elapsed if elapsed > 0 else 0.0
        left = self._samples - done_before - done - failed
        parts = [
            f"{len(self._complete):,} of {self._shards:,} shards complete",
            f"{done_before + done:,} of {self._samples:,} samples done",
            f"{failed:,} failed",
            f"{in_flight} in flight",
            f"{rate:.1f} samples/s",
        ]
        if in_flight:
            parts.append("time left " + (duration(left / rate) if rate else "unknown"))
        return ", ".join(parts)

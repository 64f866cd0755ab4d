"""One progress line for all shards, whichever process works on them."""

import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from grounding_assets.cli.terminal import duration
from grounding_assets.core.annotation.summary import RunSummary
from grounding_assets.core.errors import visible

_PLAIN_EVERY_S = 10.0


@dataclass(frozen=True, slots=True)
class ShardCounts:
    """How far a run of one shard is."""

    done_before: int = 0
    done: int = 0
    failed: int = 0
    in_flight: int = 0

    @classmethod
    def of(cls, summary: RunSummary) -> "ShardCounts":
        in_flight = min(summary.in_flight, summary.max_workers)
        return cls(summary.done_before, summary.done, summary.failed, in_flight)

    @classmethod
    def of_dict(cls, row: Mapping[str, Any]) -> "ShardCounts":
        return cls(**row)

    def to_dict(self) -> dict[str, int]:
        return asdict(self)


class ShardsDisplay:
    """A live line on a terminal, a plain line every few seconds elsewhere. A context manager; writes to standard error."""

    def __init__(self, shards: int, samples: int):
        self._shards, self._samples = shards, samples
        self._counts: dict[str, ShardCounts] = {}
        self._complete = 0
        self._begun = self._last_plain = time.monotonic()
        self._console = Console(stderr=True)
        self._live = Live(
            console=self._console,
            refresh_per_second=4,
            transient=True,
            get_renderable=lambda: Text(self.line()),
        )

    def __enter__(self) -> "ShardsDisplay":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()
        print(self.line(), file=sys.stderr, flush=True)

    def notice(self, text: str) -> None:
        print(visible(text), file=sys.stderr, flush=True)

    def update(self, key: str, counts: ShardCounts) -> None:
        self._counts[key] = counts
        now = time.monotonic()
        if not self._console.is_terminal and now - self._last_plain >= _PLAIN_EVERY_S:
            self._last_plain = now
            print(self.line(), file=sys.stderr, flush=True)

    def ended(self, key: str) -> None:
        """Nobody works on the shard any more."""
        counts = self._counts.get(key)
        if counts is not None:
            self._counts[key] = ShardCounts(counts.done_before, counts.done, counts.failed)

    def complete(self, key: str, samples: int) -> None:
        """Every sample of the shard has a result."""
        self._complete += 1
        self._counts.setdefault(key, ShardCounts(done_before=samples))

    def line(self) -> str:
        done_before, done, failed, in_flight = (
            sum(getattr(one, name) for one in self._counts.values()) for name in ShardCounts.__slots__
        )
        elapsed = time.monotonic() - self._begun
        rate = (done + failed) / elapsed if elapsed > 0 else 0.0
        left = self._samples - done_before - done - failed
        parts = [
            f"{self._complete:,} of {self._shards:,} shards complete",
            f"{done_before + done:,} of {self._samples:,} samples done",
            f"{failed:,} failed",
            f"{in_flight} in flight",
            f"{rate:.1f} samples/s",
        ]
        if in_flight:
            parts.append("time left " + (duration(left / rate) if rate else "unknown"))
        return ", ".join(parts)

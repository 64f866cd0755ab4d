"""What `auto_label generate` shows of annotation: the progress line, and at the end what it came to."""

import sys
import time
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from grounding_assets.core.annotation.summary import RunSummary
from grounding_assets.core.errors import visible

_PLAIN_EVERY_S = 10.0
_FILE_COLUMNS = 140


class ProgressLine:
    """`words()` on standard error: a live line on a terminal, a plain line every few seconds elsewhere."""

    def __init__(self, words: Callable[[], str]):
        self._words = words
        self._last_plain = time.monotonic()
        console = Console(stderr=True)
        self._live = (
            Live(
                console=console,
                refresh_per_second=4,
                transient=True,
                get_renderable=lambda: Text(visible(words())),
            )
            if console.is_terminal
            else None
        )

    def start(self) -> None:
        if self._live:
            self._live.start()

    def update(self) -> None:
        """Called after every change: must be cheap."""
        now = time.monotonic()
        if self._live is None and now - self._last_plain >= _PLAIN_EVERY_S:
            self._last_plain = now
            notice(self._words())

    def end(self, *, keep: bool = True) -> None:
        """`keep`: leaves the last words in place."""
        if self._live:
            self._live.stop()
        if keep:
            notice(self._words())


def notice(text: str) -> None:
    """Something that the user should know, beside the outcome."""
    print(visible(text), file=sys.stderr, flush=True)


def print_table(title: str, rows: Sequence[Sequence[str]], names: int = 1) -> None:
    """`rows` begin with the header; the first `names` columns are words, the others figures."""
    header, *body = rows
    console = Console(highlight=False)
    if not console.is_terminal:
        # a file has no width of its own, and Rich would fold the rows into 80 columns
        console.width = _FILE_COLUMNS
    table = Table(title=title, title_justify="left")
    for position, column in enumerate(header):
        # no wrapping: a table that is piped into a file must stay one line a row
        table.add_column(column, justify="left" if position < names else "right", overflow="fold")
    for row in body:
        table.add_row(*row)
    console.print(table)


class TerminalProgress:
    """How far the run is, on standard error; what it came to, on standard output."""

    def notice(self, text: str) -> None:
        notice(text)

    def begin(self, summary: RunSummary) -> None:
        self._line = ProgressLine(lambda: progress_line(summary))
        self._line.start()

    def update(self, summary: RunSummary) -> None:
        self._line.update()

    def end(self, summary: RunSummary) -> None:
        self._line.end(keep=summary.finished > 0)
        print(closing_words(summary))
        if left_out := summary.left_out_lines():
            print(f"Input:      {left_out}")
        for warning in summary.warnings:
            print(f"Warning:     {visible(warning)}")
        if summary.batch_words:
            print(f"Batches:     {visible(summary.batch_words)}")


def progress_line(summary: RunSummary) -> str:
    left = summary.seconds_left
    parts = [
        f"{summary.done_before + summary.done} of {summary.requested} done",
        f"{summary.failed} failed",
        _in_flight(summary),
        f"{summary.samples_per_s:.1f} samples/s",
    ]
    if summary.in_flight or left:
        parts.append("time left " + (duration(left) if left is not None else "unknown"))
    return ", ".join(parts)


def _in_flight(summary: RunSummary) -> str:
    limit = summary.in_flight_limit
    if limit is None or limit >= summary.max_workers:
        return f"{min(summary.in_flight, summary.max_workers)} in flight"
    return f"{min(summary.in_flight, limit)} in flight (the endpoint allows {limit})"


def duration(seconds: float) -> str:
    """Seconds in the words of a clock, whole."""
    whole = round(seconds)
    if whole < 1:
        return "under 1 s"
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def closing_words(summary: RunSummary) -> str:
    """One sentence on what the run came to."""
    now = f"{summary.done} now, {summary.done_before} before" if summary.done_before else ""
    words = f"{summary.done_before + summary.done} of {summary.requested} samples have a result"
    if summary.to_redo:
        kept = max(0, summary.to_redo - summary.done)
        words = f"{summary.done} of {summary.pending} samples are done again"
        words += f"; {kept} keep their earlier result" if kept else ""
        now = ""
    words += f" ({now})" if now and summary.done else ""
    if summary.failed:
        reasons = ", ".join(f"{count} {reason}" for reason, count in summary.failed_by_reason.most_common())
        words += f"; {summary.failed} failed ({reasons})"
    if summary.still_pending:
        words += f"; {summary.still_pending} are still pending"
    if summary.in_batches:
        words += f", {summary.in_batches} of them in batch jobs"
    if summary.without_step_0:
        words += f"; {summary.without_step_0} have no output of the step before"
    return words + "."

"""What a run did, counted as it goes: the figures of `annotation_run` and of the progress line."""

import time
from array import array
from collections import Counter
from collections.abc import MutableSequence
from dataclasses import dataclass, field
from typing import Any

from grounding_assets.core.errors import GroundingError, SampleFailure
from grounding_assets.core.steps import Step
from grounding_assets.core.store.checkpoint import Checkpoint

_FIRST_FAILURES = 3


@dataclass
class RunSummary:
    """Counts of one run. A sample is done when its last requested step is."""

    requested: int = 0
    """Samples asked for, done before or not."""
    set_size: int = 0
    """Samples of the whole data set."""
    pending: int = 0
    """Samples that had something to do when the run began."""
    steps: tuple[Step, ...] = ()
    done_before: int = 0
    done: int = 0
    in_flight: int = 0
    """Samples begun and not finished."""
    finished: int = 0
    """Samples that this run is through with, whatever came of them."""
    failed_by_reason: Counter[str] = field(default_factory=Counter)
    first_failures: list[str] = field(default_factory=list)
    """The first few, in words."""
    rejected_lines: int = 0
    """Lines of the input that cannot be used."""
    repeated_lines: int = 0
    """Lines of the input whose sample an earlier line has named."""
    other_settings: int = 0
    """Results that were made with other settings than this run's."""
    to_redo: int = 0
    """Of `pending`, those that have a result which stays until its successor is there."""
    without_step_0: int = 0
    in_batches: int = 0
    """Samples that wait for batch jobs."""
    batch_words: str = ""
    """What was submitted, what it may cost, and when to look again."""
    calls: int = 0
    retries: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    max_workers: int = 0
    """Requests in flight at most, at each endpoint."""
    in_flight_limit: int | None = None
    """Of them, as many as may be in flight at present: fewer after the endpoint asked to slow down."""
    warnings: list[str] = field(default_factory=list)
    """What makes all results of the run doubtful, a sentence each."""
    stopped_by: GroundingError | None = None
    """What ended the run before everything was tried."""
    begun: float = field(default_factory=time.monotonic)
    """On the monotonic clock: when the first sample was begun."""
    _latencies_s: MutableSequence[float] = field(default_factory=lambda: array("f"))

    @property
    def failed(self) -> int:
        return sum(self.failed_by_reason.values())

    @property
    def still_pending(self) -> int:
        """Samples that have neither a result nor a failure yet, begun or not."""
        return max(0, self.pending - self.done - self.failed)

    @property
    def incompleteness(self) -> str:
        """Why the run has not done what it was asked for, and what to do; empty if it has, or waits for batch jobs only."""
        if self.stopped_by is not None:
            return str(self.stopped_by)
        if self.failed:
            first = f" The first: {'; '.join(self.first_failures)}" if self.first_failures else ""
            return (
                f"{self.failed} samples failed; failures.jsonl says why. Materialize annotation_run to retry just "
                f"those.{first}"
            )
        if self.without_step_0:
            return (
                f"{self.without_step_0} samples have no output of the step before; run with workflow.steps "
                '["0", "1"], or ["0", "1", "2"].'
            )
        left = self.still_pending - self.in_batches
        return f"{left} samples are still pending: run again." if left > 0 else ""

    @property
    def waits_for_batches(self) -> bool:
        """Whether samples of the run have no result yet because their requests are in batch jobs."""
        return self.still_pending > 0 and self.in_batches > 0

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.begun

    @property
    def samples_per_s(self) -> float:
        return self.finished / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """At the rate so far; None before anything has finished."""
        rate = self.samples_per_s
        return (self.pending - self.finished) / rate if rate else None

    def count_done(self, checkpoint: Checkpoint, step: Step) -> None:
        if step == self.steps[-1]:
            self.done += 1
        provenance = checkpoint.provenance
        self.tokens_in += int(provenance.get("tokens_in", 0))
        self.tokens_out += int(provenance.get("tokens_out", 0))
        calls = int(provenance.get("calls", 0))
        self.calls += calls
        self.retries += max(0, int(provenance.get("attempts", calls)) - calls)
        self._latencies_s.append(float(provenance.get("seconds", 0.0)) / max(1, calls))

    def take_back(self) -> None:
        """A sample that was done, by this run or before, is not; it may be one that the run was not about."""
        if self.done:
            self.done -= 1
        else:
            self.done_before = max(0, self.done_before - 1)
            self.pending += 1

    def count_failed(self, sample_id: str, failure: SampleFailure) -> None:
        if len(self.first_failures) < _FIRST_FAILURES:
            self.first_failures.append(f"{sample_id}: {failure.reason}: {failure}")
        self.failed_by_reason[str(failure.reason)] += 1
        self.calls += failure.attempts
        self.tokens_in += int(failure.provenance.get("tokens_in", 0))
        self.tokens_out += int(failure.provenance.get("tokens_out", 0))

    def latency_s(self, quantile: float) -> float:
        """Of one call, in seconds; 0.0 if none was made."""
        if not self._latencies_s:
            return 0.0
        ordered = sorted(self._latencies_s)
        return float(ordered[min(len(ordered) - 1, int(quantile * len(ordered)))])

    def sentence(self) -> str:
        """What a reader of the log wants to know first."""
        return (
            f"{self.done_before + self.done} of {self.requested} samples have a result, {self.done} of them new; "
            f"{self.failed} failed, {self.still_pending} are pending. {self.calls} calls took "
            f"{self.tokens_in + self.tokens_out} tokens in {self.elapsed_s:.1f} s.{self.left_out_lines()}"
        )

    def left_out_lines(self) -> str:
        """What became of input lines that are no samples of their own, in a sentence; empty if there are none."""
        told = [
            f"{count} input lines {what}"
            for count, what in (
                (self.rejected_lines, "were rejected (rejected.jsonl says why)"),
                (self.repeated_lines, "repeat an earlier one and share its result"),
            )
            if count
        ]
        return f" {'; '.join(told)}." if told else ""

    def figures(self) -> dict[str, Any]:
        """Plain numbers, in the order in which a reader wants them."""
        latencies = self._latencies_s
        return {
            "requested": self.requested,
            "done": self.done,
            "done_before": self.done_before,
            "failed": self.failed,
            "pending": self.still_pending,
            **({"in_batches": self.in_batches} if self.in_batches else {}),
            "made_with_other_settings": self.other_settings,
            "rejected_lines": self.rejected_lines,
            "repeated_lines": self.repeated_lines,
            "calls": self.calls,
            "retries": self.retries,
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
            "seconds": round(self.elapsed_s, 2),
            "samples_per_second": round(self.samples_per_s, 3),
            "mean_latency_seconds": round(sum(latencies) / len(latencies), 3) if latencies else 0.0,
            "p95_latency_seconds": round(self.latency_s(0.95), 3),
        }

"""Who hears of the outcomes of a run: they are counted and shown. What Dagster is told of each is `reporting`'s."""

import time
from collections.abc import Callable
from typing import Any, Self

import dagster as dg

from grounding_assets.core.annotation.progress import Progress
from grounding_assets.core.annotation.summary import RunSummary
from grounding_assets.core.errors import Reason, SampleFailure, visible
from grounding_assets.core.steps import Step
from grounding_assets.core.store.checkpoint import Checkpoint

_FAILURES_LOGGED = 20
"""In full; of the others every thousandth."""


class RunListener:
    """Turns the annotator's outcomes into counts, progress and lines of the run's log. A context manager."""

    def __init__(self, context: dg.AssetExecutionContext, summary: RunSummary, progress: Progress):
        self._context, self.summary, self._progress = context, summary, progress
        self.in_flight_limit: Callable[[], int | None] = lambda: None
        """How many requests the teacher allows in flight at present."""

    def __enter__(self) -> Self:
        self._progress.begin(self.summary)
        return self

    def __exit__(self, *raised: Any) -> None:
        self._progress.end(self.summary)

    def notice(self, text: str) -> None:
        """Something that the user should know."""
        self._context.log.info(visible(text))
        self._progress.notice(text)

    def warn(self, text: str) -> None:
        """Something that makes all results of the run doubtful."""
        self._context.log.warning(visible(text))
        self._progress.notice(text)
        self.summary.warnings.append(text)

    def annotating(self) -> None:
        """The endpoint is known and the first sample begins: speed and time left count from here."""
        self.summary.begun = time.monotonic()

    def started(self, sample_id: str) -> None:
        self.summary.in_flight += 1

    def done(self, checkpoint: Checkpoint, step: Step) -> None:
        self.summary.count_done(checkpoint, step)

    def failed(self, sample_id: str, step: Step, failure: SampleFailure) -> None:
        self.summary.count_failed(sample_id, failure)
        shown = self.summary.failed
        if shown <= _FAILURES_LOGGED or shown % 1000 == 0:
            self._context.log.warning(
                visible(f"{sample_id}: step {step} failed ({failure.reason}): {failure}")
            )

    def taken_back(self, sample_id: str, why: str, *, was_done: bool) -> None:
        """Boxes that had been stored are set aside; `was_done`: the sample had counted as done."""
        if was_done:
            self.summary.take_back()
        self.failed(sample_id, Step.GROUNDING, SampleFailure(Reason.COORDINATES, why))

    def waiting(self, count: int) -> None:
        self._progress.notice(
            f"Another run is working on {count} of these samples: waiting for their results."
        )

    def waits_for(self, sample_ids: set[str], words: str) -> None:
        """These wait for batch jobs, of which `words` tell."""
        self.summary.in_batches = len(sample_ids)
        self.summary.batch_words = words

    def stopping(self, grace_s: float) -> None:
        """Somebody asked the run to end."""
        self._progress.notice(
            f"Stopping: no more calls, at most {grace_s:g} s for those in flight. A second Ctrl-C ends at once."
        )

    def finished(self, sample_id: str) -> None:
        self.summary.in_flight -= 1
        # not those that a stop cut short, which stay pending
        self.summary.finished = self.summary.done + self.summary.failed
        self.summary.in_flight_limit = self.in_flight_limit()
        self._progress.update(self.summary)

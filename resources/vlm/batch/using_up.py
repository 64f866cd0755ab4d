"""Answers are kept until what became of them is on disk."""

from grounding_assets.core.annotation.listener import Listener
from grounding_assets.core.batch.journal import Journal
from grounding_assets.core.errors import SampleFailure
from grounding_assets.core.steps import Step
from grounding_assets.core.store.checkpoint import Checkpoint


class UsingUp:
    """See `core.annotation.listener.Listener`."""

    def __init__(self, listener: Listener, journal: Journal):
        self._listener, self._journal = listener, journal
        self.started, self.finished, self.waiting = listener.started, listener.finished, listener.waiting

    def done(self, checkpoint: Checkpoint, step: Step) -> None:
        self._listener.done(checkpoint, step)
        self._journal.used(checkpoint.sample_id, step)

    def failed(self, sample_id: str, step: Step, failure: SampleFailure) -> None:
        self._listener.failed(sample_id, step, failure)
        self._journal.used(sample_id, step)

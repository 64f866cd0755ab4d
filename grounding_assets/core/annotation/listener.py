"""Who hears of a run's outcomes."""

from dataclasses import replace
from typing import Protocol

from grounding_assets.core.errors import SampleFailure
from grounding_assets.core.steps import Step
from grounding_assets.core.store.checkpoint import Checkpoint


class Listener(Protocol):
    """Hears of each outcome once it is durable. Called on the event loop: must not block."""

    def started(self, sample_id: str) -> None: ...
    def done(self, checkpoint: Checkpoint, step: Step) -> None: ...
    def failed(self, sample_id: str, step: Step, failure: SampleFailure) -> None: ...
    def finished(self, sample_id: str) -> None: ...
    def waiting(self, count: int) -> None:
        """Nothing is left to begin but samples that another run is working on."""
        ...


AT_NO_COST = {"calls": 0, "attempts": 0, "seconds": 0.0, "tokens_in": 0, "tokens_out": 0}


def at_no_cost(made_before: Checkpoint) -> Checkpoint:
    """As this run counts it, which paid nothing for it."""
    return replace(made_before, provenance={**made_before.provenance, **AT_NO_COST})

"""Where a run tells how far it is; what is made of it is the door's business."""

from typing import Protocol

from grounding_assets.core.summary import RunSummary


class Progress(Protocol):
    def begin(self, summary: RunSummary) -> None: ...
    def update(self, summary: RunSummary) -> None:
        """Called after every change, on the event loop: must be cheap."""
        ...

    def end(self, summary: RunSummary) -> None: ...


class NoProgress:
    def begin(self, summary: RunSummary) -> None: ...
    def update(self, summary: RunSummary) -> None: ...
    def end(self, summary: RunSummary) -> None: ...

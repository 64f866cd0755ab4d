"""Where a run tells how far it is; each door makes of it what it needs."""

from typing import Protocol

from grounding_assets.core.annotation.summary import RunSummary


class Progress(Protocol):
    def notice(self, text: str) -> None:
        """Something that the user should know, in one line."""
        ...

    def begin(self, summary: RunSummary) -> None: ...
    def update(self, summary: RunSummary) -> None:
        """Called after every change, on the event loop: must be cheap."""
        ...

    def end(self, summary: RunSummary) -> None: ...


class NoProgress:
    """For the doors where Dagster's own log says it all."""

    def notice(self, text: str) -> None: ...
    def begin(self, summary: RunSummary) -> None: ...
    def update(self, summary: RunSummary) -> None: ...
    def end(self, summary: RunSummary) -> None: ...

"""Which sample and step a call to a model is made for, and the answer that comes later.

A teacher need not know either: it is kept beside the calls, in the task that makes them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from grounding_assets.core.steps import Step


class Deferred(Exception):
    """The request waits in a batch: neither a result nor a failure, the sample stays pending."""


@dataclass(slots=True)
class Asker:
    """One attempt at one step of one sample."""

    sample_id: str
    step: Step
    order_id: str = ""
    """The order of `force_reprocess` that it is made for."""
    answered: int = 0
    """Calls of this attempt that were answered from a batch."""
    waits: bool = False
    """Whether a request of this attempt waits for a batch."""


_asker: ContextVar[Asker | None] = ContextVar("asker", default=None)


@contextmanager
def asking(asker: Asker) -> Iterator[None]:
    """Calls within the block are made for this."""
    token = _asker.set(asker)
    try:
        yield
    finally:
        _asker.reset(token)


def current_asker() -> Asker | None:
    """None outside of all samples, such as while an endpoint is measured."""
    return _asker.get()

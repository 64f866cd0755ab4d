"""One request to a model and what can come of it: the contract between teachers, clients and retries."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from grounding_assets.core.errors import GroundingError
from grounding_assets.core.images.prepared_image import PreparedImage


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """Parts in the order they are sent: constant instructions, the image, varying text.

    A caching server can then keep the instructions, which all samples of a step share, and all that stands before the
    text where a sample is asked about the same image several times. The steps have instructions of their own.
    """

    instructions: str
    image: PreparedImage
    text: str
    schema: Mapping[str, Any] | None
    """JSON schema that the reply should follow; None for a model that answers in plain text."""
    max_tokens: int
    temperature: float
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Request fields of the model family, such as the one that switches thinking off."""


class Finish(StrEnum):
    """How a reply ended."""

    COMPLETE = "complete"
    LENGTH = "length"
    """Cut at `max_tokens`; the text may be empty."""
    REFUSED = "refused"
    """Blocked or declined by the endpoint."""


@dataclass(frozen=True, slots=True)
class ModelReply:
    text: str
    finish: Finish
    tokens_in: int
    tokens_out: int
    detail: str = ""
    """The endpoint's own word for the way the reply ended."""
    thinking: bool = False
    """Whether the model thought aloud, which costs tokens and time and brings no better boxes."""


class Trouble(StrEnum):
    """What kind of error a request met; decides whether and how it is tried again."""

    RATE_LIMITED = "rate_limited"
    TIMEOUT = "timeout"
    UNAVAILABLE = "unavailable"
    """5xx, connection refused or reset, a server that is still loading: worth trying again."""
    REJECTED = "rejected"
    """The endpoint finds fault with this one request; the same request will fail again."""
    FATAL = "fatal"
    """No request can succeed: wrong key, unknown model, no such host."""


class CallError(GroundingError):
    """A request that brought no reply, classified by the client that sent it."""

    def __init__(self, trouble: Trouble, message: str, *, retry_after_s: float | None = None):
        super().__init__(message)
        self.trouble = trouble
        self.retry_after_s = retry_after_s
        """What the endpoint asked to wait, in seconds."""


class ModelClient(Protocol):
    """Sends one request. Retries, pacing and concurrency are not its business."""

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Raises `CallError`."""
        ...

    @property
    def structured_output(self) -> str:
        """`json_schema`, `json_object` or `plain`: what the endpoint has been found to take."""
        ...

    @property
    def rate_limits(self) -> dict[str, str]:
        """The rate-limit headers of the last reply, by name."""
        ...

    def learned(self) -> dict[str, Any]:
        """What was learned about the endpoint, as plain JSON."""
        ...

    async def aclose(self) -> None: ...

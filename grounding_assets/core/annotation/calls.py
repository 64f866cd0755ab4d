"""One request to a model and what can come of it: the contract between teachers, clients and retries."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from grounding_assets.core.errors import GroundingError, Reason
from grounding_assets.core.images.prepared_image import PreparedImage


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """Parts in the order they are sent: constant instructions, the image, varying text.

    A caching server can then keep the instructions, which all samples of a step share, and all that stands before the
    text when a sample is asked about the same image several times. The steps have instructions of their own.
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
    """Whether the model sent its reasoning, which costs tokens and time and does not improve boxes."""
    counted: bool = True
    """Whether the endpoint told both numbers of tokens; what it did not tell, or what is no count, is 0."""
    tokens_cached: int = 0
    """Of `tokens_in`, those that the endpoint reports to have had in its cache."""
    remark: str = ""
    """What the client noticed about a text that is not there, for the message of the failure."""


class Trouble(StrEnum):
    """What an error is about. Clients tell this; what follows from it is decided in one place, the policy."""

    REQUEST = "this request"
    """The endpoint finds fault with the way it is asked; the same request fails again."""
    SAMPLE = "this sample"
    """The picture or caption is refused, or its reply cannot be used at all."""
    SAMPLE_OR_ACCOUNT = "this sample or the account"
    """Refused without a word that tells which; the other calls tell."""
    ACCOUNT = "the account"
    """No request of this account can succeed: wrong or revoked key, no credit, quota used up."""
    ENDPOINT = "this endpoint"
    """Not what was configured: no such host, unknown model, moved to another address."""
    PASSING = "passing"
    """Rate limits, 5xx, timeouts, broken connections: worth trying again."""
    LOADING = "loading"
    """The endpoint says that it is not ready yet."""


class CallError(GroundingError):
    """A request that brought no reply, classified by the client that sent it."""

    def __init__(
        self,
        trouble: Trouble,
        message: str,
        *,
        reason: Reason = Reason.ENDPOINT_ERROR,
        retry_after_s: float | None = None,
        reached: bool = True,
    ):
        super().__init__(message)
        self.trouble = trouble
        self.reason = reason
        """What the sample's failure is called if it comes to that."""
        self.retry_after_s = retry_after_s
        """What the endpoint asked to wait, in seconds."""
        self.reached = reached
        """False if no connection came about: no sample can be blamed for that."""


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

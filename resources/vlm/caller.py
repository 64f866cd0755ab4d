"""Who brings a reply to a request: `retry` by a call of its own, `batch` by a job that many share."""

from collections.abc import Callable
from typing import Any, Protocol

from grounding_assets.core.annotation.calls import ModelRequest
from grounding_assets.core.budget.account import Account
from grounding_assets.core.errors import RunStopped
from resources.vlm.attempts import CallOutcome, CallStats
from resources.vlm.pacer import Pacer


class Caller(Protocol):
    """What teachers and verifiers ask."""

    notice: Callable[[str], None]
    """Told what the user should know, in one line."""

    account: Account | None
    pacer: Pacer
    stats: CallStats

    @property
    def structured_output(self) -> str: ...
    @property
    def rate_limits(self) -> dict[str, str]: ...
    @property
    def manners(self) -> dict[str, Any]: ...

    async def call(self, request: ModelRequest) -> CallOutcome:
        """See `RetryingCaller.call`; raises `Deferred` besides if the reply comes later."""
        ...

    def stop(self, reason: RunStopped) -> None: ...
    async def aclose(self) -> None: ...

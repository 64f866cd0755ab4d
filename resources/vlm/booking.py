"""One HTTP request, booked before it is sent and settled when it has ended."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from grounding_assets.core.annotation.calls import CallError, ModelReply, ModelRequest
from grounding_assets.core.budget.account import Account, Intent
from grounding_assets.core.budget.cost import Usage


@dataclass
class Booked:
    """A request under way."""

    reply: ModelReply | None = None
    """To be set by who sends; a request without a reply counts without tokens."""


@asynccontextmanager
async def booked(account: Account | None, request: ModelRequest) -> AsyncIterator[Booked]:
    """The block sends the request. One that is cut off on this side stays open, since it may be paid for.

    Raises:
        BudgetReached: a cap has no room; nothing is to be sent.
    """
    sending = Booked()
    if account is None:
        yield sending
        return
    intent = Intent.of(request)
    booking = await account.book(intent)
    try:
        yield sending
    except CallError:
        account.settle(booking, Usage(calls=1))
        raise
    account.settle(booking, intent.taken(sending.reply))

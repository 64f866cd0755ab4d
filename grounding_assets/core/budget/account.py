"""The account that every call to a model goes through: booked before it is sent, settled when it has ended.

The interface, and the words for what is booked. Not here: how a cap is held (`ledger`), and where bookings are
kept (`call_file` for the processes of one machine).
"""

from dataclasses import dataclass, replace
from typing import Protocol

from grounding_assets.core.annotation.calls import ModelReply, ModelRequest
from grounding_assets.core.budget.cost import Usage
from grounding_assets.core.errors import RunStopped

OF_TEACHER = ""
OF_VERIFIER = "vlm_verifier"
OF_BATCH = "batch"
"""Who is asked, as bookings name it: the model of the annotating steps, a verifier of its own, or the former by batch."""

_BYTES_PER_TOKEN = 3
"""Few enough for JSON full of numbers, and for most languages; of English prose there are some four."""
_PIXELS_PER_TOKEN = 750
"""Of an image: what Claude counts, and a little more than Qwen-VL, with 28 x 28 or 32 x 32, does."""


class BudgetReached(RunStopped):
    """A cap leaves no room for another call; what is not done stays pending."""

    lets_calls_finish = True


@dataclass(frozen=True, slots=True)
class Intent:
    """A call that is about to be sent, and the most that it should take."""

    tokens_in: int
    """Projected from the request."""
    tokens_out: int
    """The limit that the request sets."""
    model: str = OF_TEACHER

    @classmethod
    def of(cls, request: ModelRequest) -> "Intent":
        """One call with this request."""
        text = sum(
            len(part.encode("utf-8", "surrogatepass")) for part in (request.instructions, request.text)
        )
        width, height = request.image.sent_size
        return cls(_tokens(text) + width * height // _PIXELS_PER_TOKEN, request.max_tokens)

    def taken(self, reply: ModelReply | None) -> Usage:
        """What the call took: its reply's tokens, by the length of its text if the endpoint did not report them, and
        none without a reply.
        """
        if reply is None:
            return Usage(calls=1)
        if reply.counted:
            return Usage(1, reply.tokens_in, reply.tokens_out, reply.tokens_cached)
        out = _tokens(len(reply.text.encode("utf-8", "surrogatepass")))
        return Usage(1, self.tokens_in, min(out, self.tokens_out), projected=1)


class Account(Protocol):
    """One budget for whoever works on a data set. What is booked stays booked, whatever becomes of the process.

    A booking is known by its name, so that another process can settle it later: a batch is booked by the run that
    submits it, at its projected usage, and settled by the one that collects it.
    """

    async def book(self, intent: Intent) -> str:
        """Makes room; returns the booking's name. To be awaited before anything is sent.

        Raises:
            BudgetReached: a cap leaves no room for it beside what is spent and in flight.
            RunStopped: it cannot be written down, and nothing may be spent that is not counted.
        """
        ...

    def settle(self, booking: str, usage: Usage) -> None:
        """Counts what it took instead of what was booked; `Usage(calls=1)` for a call without a reply.

        A booking that is never settled counts as booked once its process has ended.
        """
        ...


class VerifierAccount:
    """The same account, for calls to a verifier of its own."""

    def __init__(self, account: Account):
        self._account = account

    async def book(self, intent: Intent) -> str:
        return await self._account.book(replace(intent, model=OF_VERIFIER))

    def settle(self, booking: str, usage: Usage) -> None:
        self._account.settle(booking, usage)


def _tokens(count: int) -> int:
    return -(-count // _BYTES_PER_TOKEN)

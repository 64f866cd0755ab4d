"""A run that waits for its endpoint: since when, why, and who asks next. Waiting is all that is done here."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

Sleep = Callable[[float], Awaitable[None]]


@dataclass
class Pause:
    """While it lasts one call at a time asks; the others wait for what comes of it."""

    began: float
    why: str
    next_wait_s: float
    longest_wait_s: float
    waited_s: float = 0.0
    """Time awake: a machine that slept meanwhile has not waited."""
    _asking: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def turn(self, sleep: Sleep) -> bool:
        """Waits; True where it is the caller's turn to ask, False where it should look again.

        One that asks must call `ended`, whatever comes of it.
        """
        if self._asking:
            await self._news.wait()
            return False
        self._asking = True
        wait = self.next_wait_s
        try:
            await sleep(wait)
        except BaseException:
            self.ended()
            raise
        self.waited_s += wait
        self.next_wait_s = min(self.longest_wait_s, wait * 2)
        return True

    def ended(self, took_s: float = 0.0) -> None:
        """The one that asked has its answer, after `took_s`; the next one's turn comes."""
        self.waited_s += took_s
        self._asking = False
        self.wake()

    def wake(self) -> None:
        """All that wait look again."""
        self._news.set()
        self._news = asyncio.Event()

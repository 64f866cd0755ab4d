"""A run that waits for its endpoint: since when, for how long, who asks next, and what is told of it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

Sleep = Callable[[float], Awaitable[None]]


@dataclass
class Pause:
    """While it lasts one call at a time asks; the others wait for what comes of it."""

    began: float
    next_wait_s: float
    longest_wait_s: float
    patience_s: float
    waited_s: float = 0.0
    """Time awake: a machine that slept meanwhile has not waited."""
    _asking: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def turn(self, sleep: Sleep) -> bool:
        """Waits; True if it is the caller's turn to ask, False if it should look again.

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

    @property
    def is_over_long(self) -> bool:
        return self.waited_s >= self.patience_s

    def asked_to_wait(self, seconds: float) -> None:
        """By the endpoint; not beyond the end of patience."""
        left = max(self.patience_s - self.waited_s, 1.0)
        self.next_wait_s = min(max(self.next_wait_s, seconds), left)

    def begins(self, why: str) -> str:
        return (
            f"Paused at {_time()}: {why} One request now and then asks again, for {_duration(self.patience_s)} at most "
            "(image_grounding.workflow.patience)."
        )

    def ends(self, now: float) -> str:
        return f"Going on at {_time()}, after {_duration(now - self.began)}: the endpoint answers again."

    def gives_up(self) -> str:
        waited = _duration(self.waited_s)
        return (
            f"Stopped: nothing has succeeded for {waited}, which is all of image_grounding.workflow.patience."
        )

    def wake(self) -> None:
        """All that wait look again."""
        self._news.set()
        self._news = asyncio.Event()


def _time() -> str:
    return datetime.now().strftime("%H:%M:%S")


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"

"""How many requests may be in flight: additive increase, multiplicative decrease (Chiu and Jain, 1989)."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

_LEAST_SHARE = 16


class Pacer:
    """How many requests may be in flight: at most `ceiling`, halved by a wave of 429s, then growing back.

    Not below a sixteenth of the ceiling: what is refused waits longer each time anyway, and an endpoint that
    refuses by chance would end at one request at a time.
    """

    def __init__(self, ceiling: int, clock: Callable[[], float] = time.monotonic):
        self.ceiling = ceiling
        self._clock = clock
        self.limit = float(ceiling)
        self.in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._last_cut = float("-inf")

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[float]:
        """Waits for a place; yields the time at which it was taken."""
        while self.in_flight >= max(1, int(self.limit)):
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                self._wake()
                raise
        self.in_flight += 1
        try:
            yield self._clock()
        finally:
            self.in_flight -= 1
            self._wake()

    def _wake(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def cut(self, sent_at: float) -> None:
        """Halves the limit, once per wave: a request sent before the last cut says nothing new."""
        if sent_at > self._last_cut:
            self.limit = max(1.0, self.ceiling / _LEAST_SHARE, self.limit / 2)
            self._last_cut = self._clock()

    def grow(self) -> None:
        if self.limit < self.ceiling:
            self.limit = min(float(self.ceiling), self.limit + 1 / self.limit)
            self._wake()

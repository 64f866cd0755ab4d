"""Calls that were refused for their own sake or for everybody's: what comes of others tells which."""

import asyncio


class Doubts:
    """When such calls were refused, while no request that was sent later has worked."""

    def __init__(self) -> None:
        self._refused: list[tuple[float, asyncio.Event]] = []
        self._held = 0

    def __len__(self) -> int:
        return len(self._refused)

    def add(self, now: float) -> asyncio.Event:
        """What is set once it is known: a later request has worked, or the run stops or pauses."""
        told = asyncio.Event()
        self._refused.append((now, told))
        return told

    def tell(self, refused_until: float = float("inf")) -> None:
        """It is known for those that were refused until then."""
        for refused_at, told in self._refused:
            if refused_at <= refused_until:
                told.set()
        self._refused = [refused for refused in self._refused if refused[0] > refused_until]

    async def settled(self, told: asyncio.Event, active: int, longest_s: float) -> bool:
        """Waits until it is known; False at once if all of the `active` calls wait for that, or after `longest_s`."""
        if self._held + 1 >= active:
            return False
        self._held += 1
        try:
            async with asyncio.timeout(longest_s):
                await told.wait()
        except TimeoutError:
            return False
        finally:
            self._held -= 1
        return True

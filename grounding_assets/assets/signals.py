"""Ctrl-C and SIGTERM while samples are being annotated: stop cleanly instead of at any line of code."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from grounding_assets.core.errors import Interrupted

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stopping_on_signals(stop: Callable[[Interrupted], None]) -> Iterator[None]:
    """Calls `stop` on the running event loop at the first signal; a second one ends the process.

    Dagster's own handlers are put back afterwards. Signals reach only the main thread; elsewhere this does
    nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    asked = False

    def received(number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            # safe at any time: a result is on disk or it is not, and the next run tells Dagster
            os._exit(128 + number)
        asked = True
        loop.call_soon_threadsafe(stop, Interrupted(number))

    # not `add_signal_handler`, which would wait for a blocked loop and take over the wake-up descriptor
    before = {number: signal.signal(number, received) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""The event loop that calls are made on: uvloop's, with signals heeded by all who want to, and quiet memory."""

import asyncio
import gc
import os
import signal
import socket
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")
_YOUNG = 10_000
"""Objects that are made before a look for garbage; Python's 700 means a look for each reply."""


def run(work: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`, on a fifth less time of the event loop's thread."""
    listening = _wakeup_descriptor()
    with _old_objects_left_alone(), asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(work if listening < 0 else _telling_of_signals(work, listening))


class _Loop(uvloop.Loop):
    async def getaddrinfo(
        self, host: Any, port: Any, *, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> Any:
        """By Python, as asyncio does it: uvloop has four threads for names, and all calls wait where these hang."""
        return await self.run_in_executor(None, socket.getaddrinfo, host, port, family, type, proto, flags)


async def _telling_of_signals(work: Coroutine[Any, Any, T], listening: int) -> T:
    """uvloop takes over the descriptor that Python writes signals to: they are passed on to whoever listens there."""
    loop = asyncio.get_running_loop()
    ours, pythons = socket.socketpair()
    with ours, pythons:
        ours.setblocking(False)
        pythons.setblocking(False)
        loops = signal.set_wakeup_fd(pythons.fileno(), warn_on_full_buffer=False)
        # that it can be read wakes the loop, too, which then runs Python's handlers
        loop.add_reader(ours, lambda: os.write(listening, ours.recv(1024)))
        try:
            return await work
        finally:
            loop.remove_reader(ours)
            signal.set_wakeup_fd(loops, warn_on_full_buffer=False)


def _wakeup_descriptor() -> int:
    """Where Python writes the numbers of signals; -1 if nowhere."""
    if threading.current_thread() is not threading.main_thread():
        return -1
    found = signal.set_wakeup_fd(-1)
    if found >= 0:
        signal.set_wakeup_fd(found, warn_on_full_buffer=False)
    return found


@contextmanager
def _old_objects_left_alone() -> Iterator[None]:
    """What is there already, a quarter of a million objects of imported modules, is not looked through for garbage."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_YOUNG, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()

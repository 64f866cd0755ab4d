"""Ctrl-C and SIGTERM, wherever the command is: one line, the right exit code, and a second one ends at once.

While samples are annotated, `assets.signals` decides what the first one does. Ending without clean-up is
safe at any time: a result is on disk or it is not, and the next run brings Dagster up to date.
"""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import NoReturn

from grounding_assets.core.errors import Interrupted

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SHOW_CURSOR = b"\x1b[?25h\n"
"""The live progress line hides it."""


@contextmanager
def ending_on_signals() -> Iterator[None]:
    """Turns the first signal into `Interrupted`; at the second, the process ends.

    Raises:
        Interrupted: a signal came, and whatever was under way has given up with `KeyboardInterrupt`.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    first: SimpleQueue[int] = SimpleQueue()
    ours, pythons = socket.socketpair()
    pythons.setblocking(False)
    # written to by Python's own handler in C: it works while the main thread waits for a database,
    # and tells which signal it was, which the handlers that Dagster puts in place do not
    signal.set_wakeup_fd(pythons.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(ours, first), name="signals", daemon=True).start()
    before = signal.getsignal(signal.SIGTERM)
    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        yield
    except KeyboardInterrupt:
        raise Interrupted(first.get()) from None
    else:
        # what the handler raises is lost if it comes in the middle of a garbage collection
        if not first.empty():
            raise Interrupted(first.get())
    finally:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, before)
        pythons.close()


def _watch(numbers: socket.socket, first: "SimpleQueue[int]") -> None:
    asked = False
    with numbers:
        while number := numbers.recv(1):
            if number[0] not in _SIGNALS:
                continue
            if asked:
                _end_at_once(number[0])
            asked = True
            first.put(number[0])


def _end_at_once(number: int) -> NoReturn:
    if sys.stderr.isatty():
        os.write(sys.stderr.fileno(), _SHOW_CURSOR)
    os._exit(128 + number)

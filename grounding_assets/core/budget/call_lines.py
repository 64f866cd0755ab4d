"""The file of the account: lines appended whole, read on from where reading stopped, synced in groups."""

import errno
import json
import mmap
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from grounding_assets.core.budget.ledger import Ledger
from grounding_assets.core.files import to_json

SYNC_EVERY_S = 1.0
"""A power cut may lose the lines of this time, and of the sync that is under way."""
SUM_EVERY = 10_000
"""Lines that are read one by one at the start; of more, the sum is kept in a line of its own."""
_BLOCK, _SMALL_BLOCK = 1 << 20, 1 << 13
"""Read at a time, in bytes: while calls are made, only a few lines are new."""
_SUM = b'{"summed": '
_sync_data = getattr(os, "fdatasync", os.fsync)  # macOS has the second alone


class CallLines:
    """One process's hold on the file. Raises OSError if it cannot be read or written."""

    def __init__(self, file: Path, *, read_only: bool = False):
        flags = os.O_RDONLY if read_only else os.O_RDWR | os.O_APPEND | os.O_CREAT
        self._descriptor = os.open(file, flags | os.O_CLOEXEC, 0o666)
        self._offset = self._read_one_by_one = 0
        self._own: dict[bytes, Mapping[str, Any]] = {}
        self._failure: OSError | None = None
        self._written, self._closed = threading.Event(), threading.Event()
        self._syncing: threading.Thread | None = None

    def append(self, row: Mapping[str, Any]) -> None:
        """In one write, so that the lines of two processes do not mix; on the disk within `SYNC_EVERY_S`."""
        if self._failure is not None:
            raise self._failure
        line = to_json(row)
        if os.write(self._descriptor, line + b"\n") < len(line) + 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._own[line] = row
        if self._syncing is None:
            self._syncing = threading.Thread(target=self._sync, name="calls.jsonl", daemon=True)
            self._syncing.start()
        self._written.set()

    def new(self) -> Iterator[list[Mapping[str, Any]]]:
        """Rows in blocks. Of whole lines only: what another process is writing is read the next time."""
        size = _SMALL_BLOCK
        while block := os.pread(self._descriptor, size, self._offset):
            whole = block.rfind(b"\n") + 1
            if whole == 0 and size == _BLOCK:
                return
            self._offset, size = self._offset + whole, _BLOCK
            yield [row for line in block[:whole].split(b"\n")[:-1] if (row := self._row(line))]

    def _row(self, line: bytes) -> Mapping[str, Any] | None:
        self._read_one_by_one += 1
        # most are one's own, and need not be parsed
        return self._own.pop(line, None) or _loaded(line)

    def summed_up(self) -> Ledger:
        """The account by the last sum line, and nothing if there is none; `new` goes on from there."""
        size = os.fstat(self._descriptor).st_size
        if size:
            with mmap.mmap(self._descriptor, size, access=mmap.ACCESS_READ) as content:
                place = content.rfind(_SUM)
                if place >= 0 and (row := _loaded(content[place : content.find(b"\n", place) + 1])):
                    self._offset = row["up_to"]
                    return Ledger.of_row(row)
        return Ledger()

    def sum_up(self, ledger: Ledger) -> None:
        """Writes the sum of all that was read, if that was much.

        Other processes may append in between, so the line says itself up to where it is the sum.
        """
        if self._read_one_by_one >= SUM_EVERY:
            self.append({**ledger.to_row(), "up_to": self._offset})
            self._read_one_by_one = 0

    def close(self) -> None:
        self._closed.set()
        self._written.set()
        if self._syncing is not None:
            self._syncing.join()
            _sync_data(self._descriptor)
        os.close(self._descriptor)

    def _sync(self) -> None:
        while not self._closed.is_set():
            self._written.wait()
            self._written.clear()
            try:
                _sync_data(self._descriptor)
            except OSError as error:
                self._failure = error
            self._closed.wait(SYNC_EVERY_S)


def _loaded(line: bytes) -> Mapping[str, Any] | None:
    """A row. Of a line that a full disk cut short, with the next one glued to it, that next one."""
    for begin in (0, line.rfind(b'{"')):
        try:
            row = json.loads(line[begin:])
        except (ValueError, RecursionError):
            continue
        return row if isinstance(row, dict) else None
    return None

"""Which processes that booked calls are still there."""

import errno
import fcntl
import os
import secrets
from pathlib import Path


class Living:
    """Each holds a lock on a byte of a file, at a place of its own that its name tells.

    The system drops a process's locks when it ends, however it ends. One at a time in a process and folder: POSIX
    locks belong to processes, and closing one of two opened files drops the locks taken through the other. Whoever is
    wrongly taken for ended only counts dearer, until it settles. On a file system without locks everybody has ended.
    """

    def __init__(self, results_dir: Path):
        self.name = secrets.token_hex(6)
        self._descriptor = os.open(results_dir / ".calls.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        self._lock(self.name, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def ended(self, names: set[str]) -> set[str]:
        return {name for name in names if name != self.name and self._has_ended(name)}

    def close(self) -> None:
        os.close(self._descriptor)

    def _has_ended(self, name: str) -> bool:
        try:
            int(name, 16)
        except ValueError:
            return True
        if not self._lock(name, fcntl.LOCK_SH | fcntl.LOCK_NB):
            return False
        self._lock(name, fcntl.LOCK_UN)
        return True

    def _lock(self, name: str, kind: int) -> bool:
        """False if another process holds it."""
        try:
            fcntl.lockf(self._descriptor, kind, 1, int(name, 16) % (1 << 62))
        except OSError as error:
            return error.errno not in (errno.EACCES, errno.EAGAIN)
        return True

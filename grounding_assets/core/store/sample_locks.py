"""Which samples a run is working on, for other runs over the same results folder to see.

A claim is a lock on one byte of a file that all of them open. The system drops a process's locks when it
ends, however it ends: no claim is ever stale, and there is nothing to clean up but one empty file.
"""

import errno
import fcntl
import os
from hashlib import blake2b
from pathlib import Path
from typing import Self

from grounding_assets.core.files import make_folder, stopping_if_unwritable

_HELD = (errno.EACCES, errno.EAGAIN)
"""By another process, in fcntl(2)'s words."""


class Claims:
    """The claims of this process. A context manager; leaving it gives them all up.

    One at a time in a process and folder: POSIX locks belong to processes, and closing one of two opened
    files would drop the locks taken through the other.
    """

    def __init__(self, results_dir: Path):
        self._file = results_dir / ".claims"
        self._descriptor = -1
        self._known = True

    def __enter__(self) -> Self:
        with stopping_if_unwritable(self._file):
            make_folder(self._file.parent)
            self._descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o666)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def take(self, sample_id: str, *, wait: bool = False) -> bool:
        """Whether the sample is this run's now; False if another run is working on it.

        `wait`: until that run has given it up. On a file system without locks nobody can know, and every sample is.
        """
        if not self._known:
            return True
        try:
            how = fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB
            fcntl.lockf(self._descriptor, how, 1, _place(sample_id))
        except OSError as error:
            if error.errno in _HELD:
                return False
            self._known = False
        return True

    def give_up(self, sample_id: str) -> None:
        """Lets other runs have the sample."""
        if self._known:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, _place(sample_id))


def _place(sample_id: str) -> int:
    """The byte that stands for a sample, beyond any that is written: 62 bits, so that two never meet."""
    digest = blake2b(sample_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 2

"""How the process gets its memory, if the C library lets itself be told."""

import ctypes
import platform

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
"""Parameters of glibc's mallopt(3)."""


def keep_large_buffers_apart() -> None:
    """Gives every image its own pages, which go back to the system when it is done with.

    Otherwise glibc raises its threshold after the first image and keeps images between small objects,
    where the holes that they leave are not used again. The same settings, given from outside, took
    a run with 256 requests in flight from 280 MB to 250 (bench/RESULTS.md). Does nothing if the C library is another one.
    """
    if platform.libc_ver()[0] == "glibc":
        c_library = ctypes.CDLL(None)
        c_library.mallopt(_M_MMAP_THRESHOLD, 128 << 10)
        c_library.mallopt(_M_ARENA_MAX, 2)

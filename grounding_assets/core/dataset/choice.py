"""Which samples a page shows: all of them, or a seeded share, chosen in one pass."""

import heapq
from collections.abc import Callable
from hashlib import blake2b
from typing import Generic, TypeVar

T = TypeVar("T")


class SeededChoice(Generic[T]):
    """Keeps the `size` entries whose keys hash lowest under a seed, in the order they were offered.

    A uniform sample that depends on seed and keys alone: it is the same for any order of the input, and
    adding lines changes few of the chosen. A key offered again is ignored. Memory grows with `size` only.
    """

    def __init__(self, size: int | None, seed: int):
        """`size` None keeps everything."""
        if size is not None and size < 1:
            raise ValueError("the number of samples to show must be at least 1")
        self._size = size
        self._salt = blake2b(str(seed).encode(), digest_size=16).digest()
        self._worst_first: list[tuple[int, int, T]] = []
        self._chosen: set[int] = set()
        self._offered = 0

    def offer(self, key: str, make: Callable[[], T]) -> None:
        """Chooses `make()` if the key ranks low enough; `make` is not called otherwise."""
        digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16, key=self._salt).digest()
        rank = int.from_bytes(digest, "big")
        self._offered += 1
        if rank in self._chosen or (self._is_full() and rank > -self._worst_first[0][0]):
            return
        entry = (-rank, self._offered, make())
        self._chosen.add(rank)
        if self._is_full():
            worst, _, _ = heapq.heapreplace(self._worst_first, entry)
            self._chosen.discard(-worst)
        else:
            heapq.heappush(self._worst_first, entry)

    def chosen(self) -> list[T]:
        """What was kept, in the order offered."""
        return [kept for _, _, kept in sorted(self._worst_first, key=lambda entry: entry[1])]

    def _is_full(self) -> bool:
        return self._size is not None and len(self._worst_first) >= self._size

"""Where a picture lies: a file of this machine, or a place that brings its bytes from elsewhere."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, TypeVar

ItemT = TypeVar("ItemT")
MadeT = TypeVar("MadeT")
_RESULTS_A_THREAD = 4


class StoredImage(Protocol):
    """A picture that is no file of this machine. `str()` gives its address, fit for a message."""

    def read(self, most: int) -> bytes:
        """Its first bytes, `most` of them or a few more; none if it is empty. Blocks; any thread may call it.

        Raises:
            SampleFailure: IMAGE_MISSING, IMAGE_FORBIDDEN, IMAGE_UNREADABLE or IMAGE_TOO_LARGE.
            StorageUnavailable: the storage does not answer.
        """
        ...

    @property
    def read_stamp(self) -> int:
        """Of what was read last, in 8 bytes; 0 if nothing was read whole. The same as `stored_stamp` gives where the
        storage tells the MD5 of a file's content."""
        ...

    def stored_stamp(self) -> int:
        """Another one if the picture was written again; 0 if it is not there. One request, without the content.

        Raises:
            StorageUnavailable: the storage does not answer.
        """
        ...


ImageLocation = Path | StoredImage


class ImageRoot(Protocol):
    """Where relative paths of pictures start. A `Path` is one."""

    def __truediv__(self, image_path: str, /) -> ImageLocation: ...


def in_order(make: Callable[[ItemT], MadeT], items: Iterable[ItemT], *, threads: int) -> Iterator[MadeT]:
    """`map` over some threads that keeps the order and holds only a few results a thread."""
    with ThreadPoolExecutor(threads) as pool:
        begun: deque[Future[MadeT]] = deque()
        try:
            for item in items:
                begun.append(pool.submit(make, item))
                if len(begun) >= _RESULTS_A_THREAD * threads:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for one in begun:
                one.cancel()

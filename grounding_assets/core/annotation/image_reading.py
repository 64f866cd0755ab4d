"""Pictures are read off the event loop: how many at a time, and what happens while object storage is away."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.errors import StorageUnavailable

T = TypeVar("T")
MOST_THREADS = 64
"""That wait for object storage. Pictures of this machine are read by asyncio's own, few threads: decoding them keeps
the processors busy, and more threads would wait for each other."""
_LONGEST_PAUSE_S = 60.0


class ImageReading:
    """Reads for one run."""

    def __init__(
        self,
        workspace: Workspace,
        max_workers: int,
        patience_s: float = 0,
        notice: Callable[[str], None] = lambda _: None,
        *,
        first_pause_s: float = 1.0,
    ):
        """
        Args:
            patience_s: how long storage that has answered before may be away, in seconds.
            notice: is told, once an absence, that the run waits.
            first_pause_s: before the storage is asked again; each later pause is twice as long, up to a minute.
        """
        self._pool = None
        first = next(iter(workspace.samples.entries), None)
        if first is not None and not isinstance(workspace.image_file(workspace.samples.read(first)), Path):
            self._pool = ThreadPoolExecutor(min(max_workers, MOST_THREADS), thread_name_prefix="image")
        self._patience_s, self._notice, self._first_pause_s = patience_s, notice, first_pause_s
        self._has_answered = False
        self._away_since: float | None = None

    async def read(self, read: Callable[..., T], *arguments: Any) -> T:
        """`read(*arguments)` on a thread; tried again while the storage is away.

        Raises:
            StorageUnavailable: it never answered, or was away for longer than the patience.
        """
        pause_s = self._first_pause_s
        while True:
            begun = time.monotonic()
            try:
                made = await asyncio.get_running_loop().run_in_executor(self._pool, lambda: read(*arguments))
            except StorageUnavailable as away:
                self._note_absence(away, begun)
            else:
                self._has_answered, self._away_since = True, None
                return made
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def close(self) -> None:
        """Waits for nothing."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _note_absence(self, away: StorageUnavailable, begun: float) -> None:
        if self._away_since is None:
            self._away_since = begun
            if self._has_answered and self._patience_s:
                self._notice(
                    f"{away} Until then this run waits, for at most {self._patience_s:.0f} s "
                    "(image_grounding.workflow.patience)."
                )
        if not self._has_answered or time.monotonic() - self._away_since > self._patience_s:
            raise away

"""A claim on a shard in object storage: one run has it, until that gives it up or has not been heard of for a minute.

Each claim is an object with a number; who creates the next number first has the shard. Nobody's clock is compared with
another's: a claim is dead if its content stays the same while somebody looks on.
"""

import json
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from grounding_assets.core.errors import GroundingError, RunStopped
from grounding_assets.core.files import to_json
from grounding_assets.core.shards.place import ShardTaken
from resources.object_storage import patiently, storage_errors
from resources.stored_folder import StoredFolder


@dataclass(frozen=True, slots=True)
class Pace:
    """How a claim is kept, and how it is found to be dead. In seconds."""

    beat_s: float = 10.0
    """Between two signs of life."""
    dead_after_s: float = 60.0
    """Without one."""
    look_s: float = 2.0
    """Between two looks at another run's claim."""


USUAL = Pace()


class StoredClaim:
    """One run's hold on a shard. A context manager; entering it raises ShardTaken if another run has it."""

    def __init__(
        self,
        folder: StoredFolder,
        key: str,
        run_id: str,
        is_over: Callable[[str], bool],
        pace: Pace = USUAL,
    ):
        """`is_over`: whether a run is known to have ended, by its id."""
        self._folder, self._key = folder, key
        self._run_id, self._is_over, self._pace = run_id, is_over, pace
        self._token = secrets.token_hex(8)
        self._over = threading.Event()
        self._beating = threading.Thread(target=self._beat, name="claim", daemon=True)
        self._seen: bytes | None = None
        self._seen_at = 0.0
        self.generation = 0
        """Its number; later claims on the shard have higher ones."""
        self.lost = False
        """Whether another run took the shard, since this one was not heard of."""

    def __enter__(self) -> "StoredClaim":
        latest = max(self._numbers(), default=0)
        if latest and not self._is_free(latest):
            raise ShardTaken(self._key)
        if not self._folder.create(_name(latest + 1), self._content(0)):
            raise ShardTaken(self._key)
        self.generation = latest + 1
        self._beating.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._beating.join()
        if not self.lost:
            patiently(self._folder.address, self._release)

    def _release(self) -> None:
        self._put(self._content(0, released=True))
        for number in self._numbers():
            if number < self.generation:
                self._folder.store.rm_file(self._folder.path_of(_name(number)))

    def make_sure(self, *, asks: bool = False) -> None:
        """Raises RunStopped if another run has taken the shard, as the last sign of life found; `asks`: as it is now."""
        if asks and self._is_overtaken():
            self.lost = True
        if self.lost:
            raise RunStopped(
                f"Shard {self._key} was taken by another run, since this one could not be heard of for "
                f"{self._pace.dead_after_s:g} s. It stops; the other one goes on."
            )

    def is_held(self) -> bool:
        """Whether another run has it, as far as this look and those before it show; waits for nothing."""
        latest = max(self._numbers(), default=0)
        content = self._folder.read(_name(latest)) if latest else None
        released, run_id = _parsed(content)
        if released or self._is_over(run_id):
            return False
        if content != self._seen:
            self._seen, self._seen_at = content, time.monotonic()
        return time.monotonic() - self._seen_at < self._pace.dead_after_s

    def _is_free(self, number: int) -> bool:
        content = self._folder.read(_name(number))
        released, run_id = _parsed(content)
        if released or self._is_over(run_id):
            return True
        begun = time.monotonic()
        while time.monotonic() - begun < self._pace.dead_after_s:
            time.sleep(self._pace.look_s)
            if self._folder.read(_name(number)) != content:
                return False
        return True

    def _beat(self) -> None:
        beats = 0
        while not self._over.wait(self._pace.beat_s):
            beats += 1
            try:
                if self._is_overtaken():
                    self.lost = True
                    return
                with storage_errors(self._folder.address):
                    self._put(self._content(beats))
            except GroundingError:
                # the storage is away, from this machine at least: the next beat tries again
                continue

    def _is_overtaken(self) -> bool:
        return max(self._numbers(), default=0) > self.generation

    def _put(self, content: bytes) -> None:
        self._folder.store.pipe_file(self._folder.path_of(_name(self.generation)), content)

    def _numbers(self) -> list[int]:
        return [int(name) for name in self._folder.names()]

    def _content(self, beats: int, *, released: bool = False) -> bytes:
        return to_json({"run": self._run_id, "by": self._token, "beats": beats, "released": released})


def _name(number: int) -> str:
    return f"{number:06d}"


def _parsed(content: bytes | None) -> tuple[bool, str]:
    """Whether a claim was given up, and whose it is; one that has gone was, and one that cannot be read is nobody's."""
    if content is None:
        return True, ""
    try:
        row = json.loads(content)
        return row["released"] is True, str(row["run"])
    except (ValueError, KeyError, TypeError):
        return False, ""

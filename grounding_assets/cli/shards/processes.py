"""Shards, annotated in several processes side by side: who works on which, what they say, and what becomes of them."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import IO, Any

from grounding_assets.cli.shards.work import LOOK_AGAIN_S, OTHERS_AT_WORK, Watcher
from grounding_assets.cli.shards.worker import STOP
from grounding_assets.core.errors import RunStopped
from grounding_assets.core.files import to_json

_DEATHS = 3
"""So many processes may be killed on one shard; then it is the shard that kills them."""
_WORKER = (sys.executable, "-P", "-m", "grounding_assets.cli.shards.worker")
"""`-P`: nothing of the working directory takes the place of a module."""


@dataclass(eq=False)
class _Worker:
    process: "subprocess.Popen[bytes]"
    key: str = ""
    """The shard that it works on; empty if on none."""
    stopped: str = ""
    """What ended it, in its own words."""
    ended: bool = False
    reading: threading.Thread | None = None

    def order(self, word: str) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(word.encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            # it has ended: that is told by its output, which ends as well
            return


class ShardProcesses:
    """Gives shards to processes until none is left."""

    def __init__(self, count: int, spec_file: str, overrides: Sequence[str], watcher: Watcher):
        self._arguments = to_json({"spec_file": spec_file, "overrides": list(overrides)}).decode()
        self._count, self._watcher = count, watcher
        self._said: SimpleQueue[tuple[_Worker, dict[str, Any] | None]] = SimpleQueue()
        self._workers: list[_Worker] = []
        self._left: deque[str] = deque()
        self._taken: deque[tuple[float, str]] = deque()
        self._deaths: Counter[str] = Counter()
        self._told: set[str] = set()

    def take_all(self, keys: Sequence[str]) -> None:
        """Goes through all shards.

        Raises:
            RunStopped: what stopped one of the processes, when all have ended.
        """
        self._left.extend(keys)
        try:
            for _ in range(min(self._count, len(keys))):
                self._start()
            while self._left or self._taken or any(worker.key for worker in self._workers):
                self._look_again()
                self._hear()
            for worker in self._workers:
                worker.order(STOP)
            while not all(worker.ended for worker in self._workers):
                self._hear()
        finally:
            self._end()

    def _start(self) -> None:
        # a session of its own: Ctrl-C reaches this process alone, which passes it on once
        process = subprocess.Popen(
            _WORKER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        worker = _Worker(process)
        self._workers.append(worker)
        worker.order(self._arguments)
        worker.reading = threading.Thread(target=self._read, args=(worker, process.stdout), daemon=True)
        worker.reading.start()
        self._next(worker)

    def _read(self, worker: _Worker, out: IO[bytes]) -> None:
        for line in out:
            self._said.put((worker, json.loads(line)))
        self._said.put((worker, None))

    def _next(self, worker: _Worker) -> None:
        worker.key = self._left.popleft() if self._left else ""
        if worker.key:
            worker.order(worker.key)

    def _look_again(self) -> None:
        """Shards of other commands are tried again after a while."""
        while self._taken and self._taken[0][0] <= time.monotonic():
            self._left.append(self._taken.popleft()[1])
        for worker in self._workers:
            if not worker.key and not worker.ended:
                self._next(worker)
        if self._left and all(worker.ended for worker in self._workers):
            # those that waited for other commands were killed meanwhile
            self._start()

    def _hear(self) -> None:
        try:
            worker, message = self._said.get(timeout=LOOK_AGAIN_S)
        except Empty:
            return
        if message is None:
            self._has_ended(worker)
        elif "stopped" in message:
            worker.stopped = message["stopped"]
        elif "taken" in message:
            self._notice(OTHERS_AT_WORK)
            self._taken.append((time.monotonic() + LOOK_AGAIN_S, message["taken"]))
            self._next(worker)
        elif "took" in message:
            self._next(worker)
        else:
            self._pass_on(message)

    def _pass_on(self, message: dict[str, Any]) -> None:
        """To whoever watches: the arguments of its methods, by name."""
        watcher = {
            "notice": self._notice,
            "update": self._watcher.update,
            "ended": self._watcher.ended,
        }
        for name in watcher.keys() & message.keys():
            watcher[name](*message[name])

    def _notice(self, text: str) -> None:
        """What all processes say is said once."""
        if text not in self._told:
            self._told.add(text)
            self._watcher.notice(text)

    def _has_ended(self, worker: _Worker) -> None:
        """Raises what keeps the others from going on; a process that was killed does not."""
        worker.ended, key, worker.key = True, worker.key, ""
        code = worker.process.wait()
        if not code and not key:
            return
        if code >= 0:
            stop = RunStopped(
                worker.stopped or f"A process that works on shards ended with {code}, see above."
            )
            stop.exit_code = code or stop.exit_code
            raise stop
        if not key:
            return
        self._watcher.ended(key)
        self._deaths[key] += 1
        if self._deaths[key] == _DEATHS:
            raise RunStopped(
                f"{_DEATHS} processes were killed by signal {-code} while they worked on shard {key}, the last time just now. What is "
                "finished is kept; see whether the machine has too little memory, then run again."
            )
        self._watcher.notice(
            f"The process that worked on shard {key} was killed by signal {-code}: the shard is taken again."
        )
        self._left.appendleft(key)
        self._start()

    def _end(self) -> None:
        """Lets the processes stop as on Ctrl-C: calls in flight are given time, and what is finished is kept."""
        for worker in self._workers:
            if not worker.ended and worker.process.poll() is None:
                worker.process.send_signal(signal.SIGTERM)
        for worker in self._workers:
            worker.process.wait()
            if worker.reading is not None:
                worker.reading.join()
            worker.ended = True
        while not self._said.empty():
            _, message = self._said.get()
            self._pass_on(message or {})

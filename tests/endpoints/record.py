"""What an endpoint saw: a list of requests and counters, readable from other threads while it runs."""

import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

NO_RESPONSE = 0
"""Status of a request that was reset, or whose client left before the answer."""


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One request for a generation, as it was once answered."""

    at: float
    """Unix time at which its last byte had come."""
    path: str
    key: str
    """API key that it carried, or ""."""
    status: int
    """HTTP status answered, or `NO_RESPONSE`."""
    seconds: float
    """From its last byte to the answer."""
    body_bytes: int
    fault: str = ""
    """Name of the fault that hit it; "limit" where a burst limit did."""
    attempt: int = 0
    """Which attempt of the same question this was, from 1; 0 where the request was refused unread."""
    step: str = ""
    caption: str = ""
    expressions: tuple[str, ...] = ()
    model: str = ""
    image_sha256: str = ""
    image_size: tuple[int, int] | None = None
    """(width, height) in pixels as received."""
    image_bytes: int = 0
    mime: str = ""
    parts: tuple[str, ...] = ()
    text: str = ""
    """Every text that the model saw."""
    parameters: Mapping[str, Any] = field(default_factory=dict)


class Recorder:
    """Counts and keeps requests."""

    def __init__(self, keep: int | None = None):
        """`keep` bounds how many of the latest requests are kept; None keeps all."""
        self._lock = threading.Lock()
        self._requests: deque[ReceivedRequest] = deque(maxlen=keep)
        self._in_flight = 0
        self._clear()

    def _clear(self) -> None:
        self._requests.clear()
        self.total = 0
        self.max_in_flight = self._in_flight
        self.by_status: Counter[int] = Counter()
        self.by_fault: Counter[str] = Counter()
        self.by_path: Counter[str] = Counter()
        self.calls: Counter[tuple[str, str]] = Counter()
        """Requests by (step, caption), failed ones included."""

    @property
    def in_flight(self) -> int:
        return self._in_flight

    @property
    def requests(self) -> list[ReceivedRequest]:
        """A copy, in the order of completion."""
        with self._lock:
            return list(self._requests)

    def came(self, path: str) -> None:
        """Counts a request of any sort."""
        with self._lock:
            self.by_path[path] += 1

    def started(self) -> int:
        """Counts a generation request as being served; how many are, with it."""
        with self._lock:
            self.total += 1
            self._in_flight += 1
            self.max_in_flight = max(self.max_in_flight, self._in_flight)
            return self._in_flight

    def finished(self, request: ReceivedRequest) -> None:
        with self._lock:
            self._in_flight -= 1
            self.by_status[request.status] += 1
            if request.fault:
                self.by_fault[request.fault] += 1
            if request.step:
                self.calls[request.step, request.caption] += 1
            self._requests.append(request)

    def reset(self) -> None:
        """Forgets everything but the requests that are being served now."""
        with self._lock:
            self._clear()

    def stats(self, *, calls: bool = False, requests: bool = False) -> dict[str, Any]:
        """The counters as JSON; on demand `calls` as [step, caption, count] rows and the kept requests."""
        with self._lock:
            document: dict[str, Any] = {
                "total": self.total,
                "in_flight": self._in_flight,
                "max_in_flight": self.max_in_flight,
                "by_status": {str(status): count for status, count in self.by_status.items()},
                "by_fault": dict(self.by_fault),
                "by_path": dict(self.by_path),
            }
            if calls:
                document["calls"] = [[*key, count] for key, count in self.calls.items()]
            if requests:
                document["requests"] = [asdict(request) for request in self._requests]
        return document

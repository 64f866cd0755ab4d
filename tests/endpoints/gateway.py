"""A gateway in front of simulated endpoints: it passes requests on as it pleases, or answers them from a cache."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.endpoints.server import SimulatedEndpoint
from tests.vlm.raw_server import Arrived, raw_server

Answer = tuple[int, dict[str, str], bytes]
_TIMEOUT_S = 60
_DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Whatever proxies the environment names."""


def text_of(body: Any) -> str:
    """All text of a chat request, without its pictures."""
    parts = [message["content"] for message in body["messages"]]
    return "\n".join(
        part if isinstance(part, str) else "\n".join(piece.get("text", "") for piece in part)
        for part in parts
    )


@contextmanager
def switching_gateway(choose: Callable[[Any, int], SimulatedEndpoint]) -> Iterator[str]:
    """`choose` is given each request and its number from 0, and says who answers. Yields the base URL."""
    count, lock = [0], threading.Lock()

    def answer(arrived: Arrived, handler: Any) -> Answer:
        with lock:
            number = count[0]
            count[0] += 1
        return _passed_on(choose(arrived.body, number), arrived)

    with raw_server(answer) as server:
        yield f"{server.url}/v1"


@contextmanager
def caching_gateway(endpoint: SimulatedEndpoint) -> Iterator[str]:
    """Answers a request whose text it has seen with what came of it then, whatever the picture. Yields the base URL."""
    kept: dict[str, Answer] = {}

    def answer(arrived: Arrived, handler: Any) -> Answer:
        text = text_of(arrived.body)
        return kept[text] if text in kept else kept.setdefault(text, _passed_on(endpoint, arrived))

    with raw_server(answer) as server:
        yield f"{server.url}/v1"


def _passed_on(endpoint: SimulatedEndpoint, arrived: Arrived) -> Answer:
    body = json.dumps(arrived.body).encode()
    request = urllib.request.Request(
        endpoint.url + arrived.path, data=body, headers={"Content-Type": "application/json"}
    )
    try:
        with _DIRECTLY.open(request, timeout=_TIMEOUT_S) as reply:
            return reply.status, {}, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, {}, error.read()

"""A server of a few lines that answers with whatever bytes a test wants, and keeps what arrived."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Arrived:
    path: str
    headers: Mapping[str, str]
    """By lower-case name."""
    body: Any


@dataclass
class RawServer:
    """`answer` gets each request, and the handler to send with where it wants to be rude; else (status, headers, body)."""

    answer: Callable[[Arrived, BaseHTTPRequestHandler], tuple[int, Mapping[str, str], bytes] | None]
    arrived: list[Arrived] = field(default_factory=list)
    url: str = ""


@contextmanager
def raw_server(
    answer: Callable[[Arrived, BaseHTTPRequestHandler], tuple[int, Mapping[str, str], bytes] | None],
) -> Iterator[RawServer]:
    served = RawServer(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            arrived = Arrived(self.path, headers, json.loads(raw))
            served.arrived.append(arrived)
            answered = served.answer(arrived, self)
            if answered is None:
                self.close_connection = True
                return
            status, more, body = answered
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **more}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            served.arrived.append(Arrived(self.path, {n.lower(): v for n, v in self.headers.items()}, None))
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    served.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()

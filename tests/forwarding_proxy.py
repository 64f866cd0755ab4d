"""A forwarding HTTP proxy on loopback that knows one host by name, which nobody else does."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HOST = "endpoint.example"


@dataclass
class Proxy:
    url: str
    asked: list[str] = field(default_factory=list)
    """The URL of each request, as it was asked for."""


@contextmanager
def forwarding(port: int) -> Iterator[Proxy]:
    """`http://endpoint.example` leads to the port of this machine; any other host is answered 502."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            proxy.asked.append(self.path)
            url = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if url.hostname != HOST:
                self._answer(502, "text/html", b"<h1>no such host</h1>")
                return
            target = http.client.HTTPConnection("127.0.0.1", port)
            try:
                path = f"{url.path}?{url.query}" if url.query else url.path
                target.request(self.command, path, body, dict(self.headers.items()))
                answer = target.getresponse()
                self._answer(answer.status, answer.getheader("Content-Type", ""), answer.read())
            finally:
                target.close()

        do_GET = do_POST = forward

        def _answer(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy = Proxy(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()

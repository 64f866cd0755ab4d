"""Object storage on loopback: moto's S3 server, and servers that do not answer as S3 does.

Every process that runs tests imports this module, and few need what takes seconds to import: that is left to the functions.
"""

import http.client
import json
import os
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from fsspec import AbstractFileSystem

if TYPE_CHECKING:
    from resources.stored_folder import StoredFolder

KEYS = {
    "AWS_ACCESS_KEY_ID": "tested-key",
    "AWS_SECRET_ACCESS_KEY": "never-shown",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@dataclass(frozen=True)
class S3Server:
    """moto's server, and the variables that lead to it."""

    endpoint: str

    @property
    def variables(self) -> dict[str, str]:
        return {**KEYS, "AWS_ENDPOINT_URL": self.endpoint, "AWS_EC2_METADATA_DISABLED": "true"}

    def put(self, files: Mapping[str, bytes]) -> None:
        """Writes objects by their address; makes the bucket where it lacks."""
        store = self.filesystem()
        for address, content in files.items():
            bucket = address.removeprefix("s3://").partition("/")[0]
            if not store.exists(bucket):
                store.mkdir(bucket)
            store.pipe_file(address, content)

    def filesystem(self) -> AbstractFileSystem:
        return _filesystem(self.endpoint)

    @contextmanager
    def asking_for_permission(self) -> Iterator[None]:
        """Within the block every request needs a key that is known and allowed."""
        self._reset_auth(b"0")
        try:
            yield
        finally:
            self._reset_auth(b"1000000000")

    def key_without_permissions(self) -> dict[str, str]:
        """The variables of a user who exists and may do nothing."""
        import boto3

        users = boto3.client(
            "iam",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        )
        name = f"nobody-{len(users.list_users()['Users'])}"
        users.create_user(UserName=name)
        key = users.create_access_key(UserName=name)["AccessKey"]
        return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}

    def _reset_auth(self, count: bytes) -> None:
        request = urllib.request.Request(
            f"{self.endpoint}/moto-api/reset-auth", data=count, headers={"Content-Type": "text/plain"}
        )
        with urllib.request.urlopen(request) as answer:
            json.loads(answer.read())


@cache
def _filesystem(endpoint: str) -> AbstractFileSystem:
    """Made once: a client reads the whole description of S3."""
    from s3fs import S3FileSystem

    return S3FileSystem(
        key=KEYS["AWS_ACCESS_KEY_ID"],
        secret=KEYS["AWS_SECRET_ACCESS_KEY"],
        endpoint_url=endpoint,
        skip_instance_cache=True,
        use_listings_cache=False,
    )


@contextmanager
def s3_server() -> Iterator[S3Server]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield S3Server(f"http://{host}:{port}")
    finally:
        server.stop()


@contextmanager
def answering(status: int) -> Iterator[str]:
    """A server that answers every request with this status; gives its URL. With 200 it takes all and has nothing."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # botocore waits for "100 Continue" before it sends a body
        timeout = 10

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(404 if status == 200 and self.command == "HEAD" else status)
            self.send_header("Content-Length", "0")
            self.send_header("ETag", '"0"')
            self.send_header("Connection", "close")
            self.end_headers()

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _answer

        def log_message(self, format: str, *args: object) -> None: ...

    with _serving(Handler) as url:
        yield url


@contextmanager
def changing(s3: S3Server, refused: Callable[[str, str], int | None]) -> Iterator[str]:
    """Between the server and whoever asks: `refused` tells the status that a method and path get in place of the server's, 0 for
    none at all after the server has done what was asked, None for the server's own. Gives its URL."""
    port = int(s3.endpoint.rpartition(":")[2])

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status = refused(self.command, self.path)
            if status:
                self._send(status, {}, b"")
                return
            headers = {name: value for name, value in self.headers.items() if name != "Expect"}
            server = http.client.HTTPConnection("127.0.0.1", port)
            server.request(self.command, self.path, body, headers)
            answer = server.getresponse()
            content = answer.read()
            server.close()
            if status == 0:
                self.close_connection = True
                return
            self._send(answer.status, dict(answer.getheaders()), content)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass_on

        def _send(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
            length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(content))
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", length)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None: ...

    with _serving(Handler) as url:
        yield url


@contextmanager
def losing_first_answers(s3: S3Server) -> Iterator[str]:
    """The server, whose answer to the first attempt to write each object is lost. Gives its URL."""
    written: set[str] = set()

    def refused(method: str, path: str) -> int | None:
        if method != "PUT" or path in written:
            return None
        written.add(path)
        return 0

    with changing(s3, refused) as url:
        yield url


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def use(variables: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets them for this process, and forgets connections that were made with others."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    in_force = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    if in_force == _connected_with:
        return
    from s3fs import S3FileSystem

    S3FileSystem.clear_instance_cache()
    _connected_with.clear()
    _connected_with.update(in_force)


_connected_with: dict[str, str] = {}
"""The variables of the connections that are remembered."""


def folder_at(address: str) -> "StoredFolder":
    from resources.object_storage import filesystem_of
    from resources.stored_folder import StoredFolder

    return StoredFolder(*filesystem_of(address), address)

"""Google Cloud Storage on loopback: `gcp-storage-emulator`, with the one condition that claims and grants rest on."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.server import HTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from fsspec import AbstractFileSystem
from gcp_storage_emulator.exceptions import NotFound
from gcp_storage_emulator.server import RequestHandler
from gcp_storage_emulator.storage import Storage
from gcsfs.core import GCSFileSystem


class _ObjectIsThere(Exception): ...


class _Objects(Storage):
    """Of `ifGenerationMatch` the emulator knows nothing."""

    only_new = False
    """Whether the request that is answered may only make an object that is not there; requests come one at a time."""

    def create_file(self, bucket_name: str, file_name: str, *rest: Any, **named: Any) -> None:
        if self.only_new and self._has(bucket_name, file_name):
            raise _ObjectIsThere
        super().create_file(bucket_name, file_name, *rest, **named)

    def _has(self, bucket_name: str, file_name: str) -> bool:
        try:
            self.get_file_obj(bucket_name, file_name)
        except NotFound:
            return False
        return True


class _Handler(RequestHandler):
    storage: _Objects

    def do_POST(self) -> None:
        self.storage.only_new = parse_qs(urlsplit(self.path).query).get("ifGenerationMatch") == ["0"]
        try:
            super().do_POST()
        except _ObjectIsThere:
            self.send_error(HTTPStatus.PRECONDITION_FAILED)


@dataclass(frozen=True)
class GcsServer:
    """The emulator, and the variables that lead to it. It asks for no credentials."""

    endpoint: str

    @property
    def variables(self) -> dict[str, str]:
        return {
            "STORAGE_EMULATOR_HOST": self.endpoint,
            # do not ask an address of Google's machines who this one is, nor by gRPC what kind of bucket it is
            "NO_GCE_CHECK": "true",
            "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
        }

    def put(self, files: Mapping[str, bytes]) -> None:
        """Writes objects by their address; makes the bucket where it lacks."""
        store = self.filesystem()
        for address, content in files.items():
            bucket = address.removeprefix("gs://").partition("/")[0]
            if not store.exists(bucket):
                store.mkdir(bucket)
            store.pipe_file(address, content)

    def filesystem(self) -> AbstractFileSystem:
        return GCSFileSystem(
            project="tested",
            token="anon",
            endpoint_url=self.endpoint,
            skip_instance_cache=True,
            use_listings_cache=False,
        )


@contextmanager
def gcs_server() -> Iterator[GcsServer]:
    server = HTTPServer(("127.0.0.1", 0), partial(_Handler, _Objects(use_memory_fs=True)))
    thread = Thread(target=server.serve_forever, name="gcs", daemon=True)
    thread.start()
    try:
        yield GcsServer(f"http://127.0.0.1:{server.server_address[1]}")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

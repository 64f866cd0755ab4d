"""One S3 server for all tests of this folder, each of which uses a bucket of its own; and Google's storage for one test."""

from collections.abc import Iterator

import pytest

from tests.storage.gcs_server import GcsServer, gcs_server
from tests.storage.servers import S3Server, s3_server, use


@pytest.fixture(scope="session")
def running_s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def s3(running_s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """The server, with the variables of this process leading to it."""
    use(running_s3.variables, monkeypatch)
    return running_s3


@pytest.fixture
def gcs() -> Iterator[GcsServer]:
    with gcs_server() as server:
        yield server

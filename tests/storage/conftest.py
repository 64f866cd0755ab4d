"""One S3 server for all tests of this folder, each of which uses a bucket of its own; and Google's storage for one test."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.storage.servers import S3Server, s3_server, use

if TYPE_CHECKING:
    from tests.storage.gcs_server import GcsServer


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
def gcs() -> "Iterator[GcsServer]":
    # every process that runs tests reads this file, and that one takes a second to import
    from tests.storage.gcs_server import gcs_server

    with gcs_server() as server:
        yield server

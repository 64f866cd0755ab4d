"""Where a spec's files lie: on this machine, or in object storage.

Addresses are only taken apart here; what is read from them, and whether the libraries for it are installed, is known
by `resources.object_storage`.
"""

import re
from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_NOT_STORAGE = ("http", "https", "ftp", "ftps", "sftp", "ssh", "hf")


def scheme_of(location: str) -> str:
    """The scheme of an address, in lower case; empty for a path.

    >>> scheme_of("s3://photos/1.jpg"), scheme_of("photos/1.jpg")
    ('s3', '')
    """
    found = _ADDRESS.match(location)
    return found[1].lower() if found else ""


def shown_address(address: str) -> str:
    """The address as it may stand in a message: without user, password and query, which may be a signature.

    >>> shown_address("https://me:secret@photos.example/1.jpg?X-Amz-Signature=1f0c")
    'https://photos.example/1.jpg'
    """
    scheme, _, rest = address.partition("://")
    host, slash, path = rest.partition("?")[0].partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def _here_or_in_storage(location: str) -> str:
    """Refuses what is no object storage, and addresses that hold credentials."""
    scheme = scheme_of(location)
    if not scheme:
        return location
    if scheme == "file":
        raise ValueError(f"give the path itself: {unquote(urlsplit(location).path) or '/'}")
    if scheme in _NOT_STORAGE:
        raise ValueError(
            f"{scheme}:// is not supported, only paths of this machine and object storage (s3://, gs://): copy the "
            "files there"
        )
    bucket = location.partition("://")[2].partition("/")[0]
    if "@" in bucket or "?" in location:
        raise ValueError(
            f"credentials do not belong into an address: give {shown_address(location)}, and set the variables of "
            "the storage, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    if not bucket and scheme != "memory":
        raise ValueError(f"names no bucket; the form is {scheme}://bucket/path")
    return f"{scheme}://{location.partition('://')[2]}"


def _storage_prefix(prefix: str) -> str:
    """Refuses what would let a line of the input name a host."""
    scheme = scheme_of(prefix)
    if not scheme:
        raise ValueError("must be an address such as s3://bucket/folder/")
    if prefix.partition("://")[2]:
        return _here_or_in_storage(prefix)
    if scheme in (*_NOT_STORAGE, "file"):
        raise ValueError(f"{scheme}:// is not object storage")
    return f"{scheme}://"


Location = Annotated[str, AfterValidator(_here_or_in_storage)]
"""A path of this machine, or an address in object storage such as `s3://bucket/folder`."""
StoragePrefix = Annotated[str, AfterValidator(_storage_prefix)]
"""How an address in object storage begins: `s3://`, `s3://bucket` or `s3://bucket/folder/`."""

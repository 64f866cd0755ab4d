"""Pictures in object storage, and which of them a line of the input may name.

A line is somebody else's: it may name a picture below `data.image_root`, a file of this machine, or an address that
begins with one of `data.image_sources`. So no line chooses a host; see docs/decisions.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grounding_assets.core.errors import GroundingError, Reason, RunStopped, SampleFailure, SpecError
from grounding_assets.core.images.image_file import MAX_FILE_BYTES, NOT_THERE
from grounding_assets.core.images.locations import ImageLocation
from grounding_assets.core.spec.paths import scheme_of, shown_address
from resources.object_storage import ObjectForbidden, StorageRefusal, filesystem_of, storage_errors

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_FIRST_BYTES = 16 << 20
"""Asked for without asking for the size before: one request for nearly every photo."""
_NO_RANGE = 416
"""HTTP status if an object has no byte at the place asked for: it is empty."""


class StoredPicture:
    """An object that holds a picture; see `core.images.locations.StoredImage`."""

    def __init__(self, store: "AbstractFileSystem", path: str, address: str, *, is_of_root: bool):
        """`is_of_root`: in the storage of `data.image_root`, whose refusal concerns all pictures."""
        self._store, self._path, self._address, self._is_of_root = store, path, address, is_of_root
        self.read_stamp = 0

    def __str__(self) -> str:
        return self._address

    def read(self, most: int) -> bytes:
        try:
            with storage_errors(self._address):
                raw = self._range(0, min(most, _FIRST_BYTES))
                if len(raw) == _FIRST_BYTES < most:
                    size = int(self._store.info(self._path)["size"])
                    self._refuse_above(size)
                    raw += self._range(_FIRST_BYTES, min(size, most)) if size > _FIRST_BYTES else b""
        except FileNotFoundError:
            raise SampleFailure(
                Reason.IMAGE_MISSING, f"No image at {shown_address(self._address)}. {NOT_THERE}"
            ) from None
        except (ObjectForbidden, StorageRefusal) as error:
            if self._concerns_all(error):
                raise
            raise SampleFailure(Reason.IMAGE_FORBIDDEN, str(error)) from None
        except (RunStopped, SampleFailure):
            raise
        except GroundingError as error:
            raise SampleFailure(Reason.IMAGE_UNREADABLE, str(error)) from None
        whole = len(raw) < most
        md5 = hashlib.md5(raw, usedforsecurity=False).hexdigest() if whole else ""
        self.read_stamp = _stamp(md5, len(raw)) if whole else 0
        return raw

    def stored_stamp(self) -> int:
        try:
            with storage_errors(self._address):
                info = self._store.info(self._path)
        except (FileNotFoundError, ObjectForbidden, StorageRefusal) as error:
            if self._concerns_all(error):
                raise
            return 0
        return _stamp(_version(info), int(info.get("size") or 0))

    def _concerns_all(self, error: Exception) -> bool:
        """A line that names a storage which nobody set up is in trouble alone."""
        return isinstance(error, StorageRefusal) and self._is_of_root

    def _range(self, start: int, end: int) -> bytes:
        content: Any = b""
        try:
            content = self._store.cat_file(self._path, start=start, end=end)
        except OSError as error:
            answer = getattr(error.__cause__, "response", {})
            if answer.get("ResponseMetadata", {}).get("HTTPStatusCode") != _NO_RANGE:
                raise
        return content

    def _refuse_above(self, size: int) -> None:
        if size > MAX_FILE_BYTES:
            raise SampleFailure(
                Reason.IMAGE_TOO_LARGE,
                f"{self._address} has {size >> 20} MB; the limit is {MAX_FILE_BYTES >> 20}.",
            )


class UnreadAddress:
    """An address that the settings do not allow a line to name."""

    read_stamp = 0

    def __init__(self, address: str, remedy: str):
        self._shown, self._remedy = shown_address(address), remedy

    def __str__(self) -> str:
        return self._shown

    def read(self, most: int) -> bytes:
        raise SampleFailure(Reason.IMAGE_MISSING, f"{self._shown} is not read: {self._remedy}")

    def stored_stamp(self) -> int:
        return 0


class ImageFolder:
    """Where relative paths start, on this machine or in object storage; see `core.images.locations.ImageRoot`."""

    def __init__(self, root: str, sources: Sequence[str]):
        """Raises SpecError if the root's library is not installed."""
        self._local = Path(root).absolute() if root and not scheme_of(root) else Path.cwd()
        self._root = f"{root.rstrip('/')}/" if scheme_of(root) else ""
        self._allowed = tuple(filter(None, (self._root, *map(_as_prefix, sources))))
        self._stores: dict[str, AbstractFileSystem] = {}
        if self._root:
            self._stored(self._root)

    def __str__(self) -> str:
        return self._root.rstrip("/") or str(self._local)

    def __truediv__(self, image_path: str, /) -> ImageLocation:
        if scheme_of(image_path):
            return self._at(image_path)
        if not self._root or image_path.startswith("/"):
            return self._local / image_path
        return self._at(self._root + image_path.removeprefix("./"))

    def _at(self, address: str) -> ImageLocation:
        scheme, _, rest = address.partition("://")
        address = f"{scheme.lower()}://{rest}"
        if ".." in rest.split("/"):
            return UnreadAddress(address, "it leads out of its folder by '..'.")
        if "?versionId=" in rest:
            # the library would read a version of another object
            return UnreadAddress(address, "versions are not read; give the object another name.")
        if "@" in rest.partition("/")[0]:
            return UnreadAddress(address, "credentials do not belong into an address.")
        if not address.startswith(self._allowed):
            return UnreadAddress(address, self._remedy(scheme.lower()))
        try:
            return self._stored(address)
        except SpecError as error:
            return UnreadAddress(address, str(error))

    def _stored(self, address: str) -> StoredPicture:
        scheme = scheme_of(address)
        store = self._stores.get(scheme)
        if store is None:
            store = self._stores[scheme] = filesystem_of(address)[0]
        is_of_root = scheme == scheme_of(self._root)
        return StoredPicture(store, str(store._strip_protocol(address)), address, is_of_root=is_of_root)

    def _remedy(self, scheme: str) -> str:
        if scheme == "file":
            return "give the path itself."
        if scheme in ("http", "https", "ftp", "hf"):
            return "copy the image to this machine or into object storage."
        return "add the beginning of its address to image_grounding.data.image_sources."


def _as_prefix(source: str) -> str:
    """A bucket's name ends where it ends: `s3://photos` does not allow `s3://photos-of-others`."""
    rest = source.partition("://")[2]
    return source if not rest or "/" in rest else f"{source}/"


def _version(info: dict[str, Any]) -> str:
    """The MD5 of the content in hexadecimal, if the storage tells it, else what it tells of the version."""
    md5 = info.get("md5Hash")
    if md5:
        try:
            return base64.b64decode(md5, validate=True).hex()
        except binascii.Error:
            return str(md5)
    for name in ("ETag", "etag", "content_md5", "mtime", "LastModified", "created"):
        if info.get(name):
            return str(info[name]).strip('"')
    return ""


def _stamp(version: str, size: int) -> int:
    """In 8 bytes, and never 0 or 1, which have a meaning of their own."""
    digest = hashlib.blake2b(f"{size} {version}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") | 2

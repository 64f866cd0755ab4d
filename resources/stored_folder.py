"""A folder in object storage, whose objects are waited for where it is away for a while."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from resources.object_storage import create_exclusively, patiently


class StoredFolder:
    """Names are those of objects below it. Each call raises as `patiently` does."""

    def __init__(self, store: Any, path: str, address: str):
        """`store`: of fsspec, whose own types leave open what its libraries give; `address`: for messages."""
        self.store, self.path, self.address = store, path, address

    def below(self, name: str) -> "StoredFolder":
        return StoredFolder(self.store, self.path_of(name), f"{self.address}/{name}")

    def path_of(self, name: str) -> str:
        return f"{self.path}/{name}"

    def names(self) -> list[str]:
        """Of the objects in it, sorted."""
        found: list[str] = self._there(lambda: self.store.ls(self.path, detail=False), [])
        return sorted(path.rsplit("/", 1)[1] for path in found)

    def read(self, name: str) -> bytes | None:
        """None if there is no such object."""
        content: bytes | None = self._there(lambda: self.store.cat_file(self.path_of(name)), None)
        return content

    def size(self, name: str) -> int:
        """In bytes; 0 if there is no such object."""
        return int(self._there(lambda: self.store.info(self.path_of(name))["size"], 0))

    def remove(self, name: str) -> None:
        self._there(lambda: self.store.rm_file(self.path_of(name)), None)

    def write(self, name: str, content: bytes) -> None:
        patiently(self.address, lambda: self.store.pipe_file(self.path_of(name), content))

    def put(self, file: Path, name: str) -> None:
        patiently(self.address, lambda: self.store.put_file(str(file), self.path_of(name)))

    def create(self, name: str, content: bytes) -> bool:
        """False if the object is there already."""
        try:
            patiently(self.address, lambda: create_exclusively(self.store, self.path_of(name), content))
        except FileExistsError:
            return False
        return True

    def _there(self, ask: Callable[[], Any], absent: Any) -> Any:
        """What `ask` returns, or `absent` if there is no such object."""
        try:
            return patiently(self.address, ask)
        except FileNotFoundError:
            return absent

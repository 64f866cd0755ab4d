"""What a power cut would leave of a folder, by the least that POSIX promises."""

import os
import stat
import threading
from pathlib import Path

import pytest


class Disk:
    """Contents survive that were synced, under names whose folder was synced since they came there.

    It stands in the place of `os.fsync`, calls it, and remembers what was durable then. What lies there at first is.
    """

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch):
        self._root, self._lock, self._sync = root, threading.Lock(), os.fsync
        self._contents: dict[int, bytes] = {}
        """By inode."""
        self._names: dict[Path, dict[str, int]] = {}
        """By folder: the inode of each name."""
        for folder, _, files in os.walk(root):
            self._note_folder(Path(folder))
            for name in files:
                path = Path(folder) / name
                self._contents[path.stat().st_ino] = path.read_bytes()
        monkeypatch.setattr(os, "fsync", self._fsync)

    def left(self, folder: Path) -> dict[str, bytes]:
        """The files of a folder as they would be found there; none if the folder's own name would have gone."""
        with self._lock:
            above = folder
            while above != self._root:
                if above.name not in self._names.get(above.parent, {}):
                    return {}
                above = above.parent
            names = self._names.get(folder, {})
            return {
                name: self._contents.get(inode, b"lost")
                for name, inode in names.items()
                if folder / name not in self._names
            }

    def _fsync(self, descriptor: int) -> None:
        self._sync(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}")
        status = os.fstat(descriptor)
        with self._lock:
            if stat.S_ISDIR(status.st_mode):
                self._note_folder(path.readlink())
            else:
                self._contents[status.st_ino] = path.read_bytes()

    def _note_folder(self, folder: Path) -> None:
        with os.scandir(folder) as entries:
            self._names[folder] = {entry.name: entry.inode() for entry in entries}

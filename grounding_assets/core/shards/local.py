"""Shards in a folder of this machine: each is worked on in place."""

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO

from grounding_assets.core.errors import InputError
from grounding_assets.core.files import (
    locked,
    make_folder,
    replacing,
    stopping_if_unwritable,
    write_whole,
)
from grounding_assets.core.shards.manifest import MANIFEST, Manifest
from grounding_assets.core.shards.place import ShardTaken
from grounding_assets.core.spec.shards import FOLDER
from grounding_assets.core.steps import Step
from grounding_assets.core.store.sample_locks import Claims

_COPIED = 1 << 20


class LocalShards:
    """See `place.Shards`."""

    looks_again = True
    grants = None

    def __init__(self, results_dir: Path):
        self.results_dir, self.where = results_dir, str(results_dir)

    def manifest(self) -> Manifest | None:
        file = self.results_dir / MANIFEST
        try:
            return Manifest.of_bytes(file.read_bytes(), str(file))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InputError(f"Cannot read {file}: {error.strerror}.") from None

    def keep(self, manifest: Manifest) -> None:
        file = self.results_dir / MANIFEST
        with stopping_if_unwritable(file):
            write_whole(file, manifest.to_bytes())

    def is_whole_data_set(self) -> bool:
        return (self.results_dir / "samples.jsonl").exists() or any(
            (self.results_dir / step.folder).is_dir() for step in Step
        )

    @contextmanager
    def cutting(self) -> Iterator[None]:
        folder = self.results_dir / FOLDER
        with stopping_if_unwritable(folder):
            make_folder(folder)
        with locked(folder):
            yield

    def reading(self, name: str) -> AbstractContextManager[IO[bytes]] | None:
        try:
            return (self.results_dir / name).open("rb")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InputError(f"Cannot read {self.results_dir / name}: {error.strerror}.") from None

    def is_as_written(self, name: str, size: int, written_ns: int, sha256: str) -> bool:
        try:
            status = (self.results_dir / name).stat()
        except FileNotFoundError:
            return size == 0
        if status.st_size != size or status.st_mtime_ns == written_ns:
            return status.st_size == size
        with (self.results_dir / name).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == sha256

    def size(self, name: str) -> int:
        try:
            return (self.results_dir / name).stat().st_size
        except FileNotFoundError:
            return 0

    @contextmanager
    def writing(self, name: str) -> Iterator[IO[bytes]]:
        file = self.results_dir / name
        with stopping_if_unwritable(file), replacing(file) as stream:
            yield stream

    def join(self, name: str, parts: Sequence[str]) -> None:
        with self.writing(name) as whole:
            for part in parts:
                content = self.reading(part)
                if content is not None:
                    with content as stream:
                        shutil.copyfileobj(stream, whole, _COPIED)

    def is_held(self, key: str) -> bool:
        try:
            with self.claimed(key):
                return False
        except ShardTaken:
            return True

    @contextmanager
    def claimed(self, key: str) -> Iterator[None]:
        # a lock of the system: it goes with its process, however that ends
        with Claims(self.results_dir) as claims:
            if not claims.take(f"{FOLDER}/{key}"):
                raise ShardTaken(key)
            yield

    @contextmanager
    def opened(self, key: str) -> Iterator[Path]:
        yield self.results_dir / FOLDER / key

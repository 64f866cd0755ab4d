"""Files of a spec that lie in object storage, as copies in the results folder, which lines are then read from.

A run reads the lines of its input again and again, which would be a request each. The storage is asked once a run
whether the file is another one; only then it is read again, in a stream.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from grounding_assets.core.errors import InputError, RunStopped
from grounding_assets.core.files import locked, make_folder, replacing, stopping_if_unwritable, to_json
from grounding_assets.core.spec.paths import scheme_of, shown_address
from grounding_assets.core.spec.settings import Spec
from resources.object_storage import ObjectError, ObjectForbidden, filesystem_of, storage_errors

FOLDER = ".fetched"
_BLOCK_BYTES = 8 << 20
_ATTEMPTS = 4


class FetchedFiles:
    """The files of one spec, each looked at once: what a run reads stays what it was when the run began."""

    def __init__(self, spec: Spec):
        self._spec = spec
        self._files: dict[str, Path] = {}
        self._scratch: TemporaryDirectory[str] | None = None

    def local(self, name: str, location: str) -> Path:
        """See `local_file`. Where results are in object storage, the copy goes with this process."""
        if name not in self._files:
            self._files[name] = local_file(location, self._folder(location), name)
        return self._files[name]

    def _folder(self, location: str) -> Path:
        if not scheme_of(location) or not scheme_of(self._spec.results_dir):
            return Path(self._spec.results_dir)
        if self._scratch is None:
            self._scratch = TemporaryDirectory(prefix="fetched-")
        return Path(self._scratch.name)


def local_file(location: str, results_dir: Path, name: str) -> Path:
    """The file at a path, or a copy of the one at an address that is as it is now.

    Two requests if nothing changed since the last time, and one more for every 8 MB if something did.

    Args:
        name: of the copy, such as `input`.

    Raises:
        InputError: it is not there, cannot be read, or changes all the time.
        SpecError: the library for the address is not installed.
        RunStopped: the storage does not answer, or the copy cannot be written.
    """
    if not scheme_of(location):
        return Path(location).absolute()
    return fetched(location, results_dir.absolute() / FOLDER / f"{name}.jsonl")


def fetched(location: str, copy: Path, notice: Callable[[str], None] = lambda text: None) -> Path:
    """A copy of what is at an address, as it is now; what it was made of is noted beside it. Errors as of `local_file`.

    `notice` is told before something is read, and how much.
    """
    seal = copy.with_suffix(".json")
    with stopping_if_unwritable(copy.parent):
        make_folder(copy.parent)
        with locked(copy.parent):
            for _ in range(_ATTEMPTS):
                found = _state(location)
                if _sealed(seal) == found and copy.is_file():
                    return copy
                seal.unlink(missing_ok=True)
                _require_room(location, found["size"], copy.parent)
                notice(f"Copying {shown_address(location)}, {found['size'] / 1e6:,.1f} MB, to {copy}.")
                _fetch(location, copy)
                if copy.stat().st_size == found["size"]:
                    # the next turn makes sure that it is still this version
                    with replacing(seal) as stream:
                        stream.write(to_json(found))
    raise InputError(
        f"{shown_address(location)} was changed while it was read; run again when it stays as it is."
    )


def _require_room(location: str, size: int, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if size > free:
        raise RunStopped(
            f"{shown_address(location)} has {size / 1e6:,.0f} MB, and there is room for {free / 1e6:,.0f} MB in {folder}: make room."
        )


def _state(location: str) -> dict[str, Any]:
    """What tells one version of the file from another."""
    store, path = filesystem_of(location)
    with _as_input_errors(location):
        info = store.info(path)
    if info.get("type") == "directory":
        raise InputError(f"{location} is a folder; name a JSONL file in it.")
    versions = ("ETag", "etag", "md5Hash", "generation", "LastModified", "mtime", "created")
    return {
        "address": location,
        "size": int(info["size"]),
        "version": {name: str(info[name]) for name in versions if info.get(name)},
    }


def _sealed(seal: Path) -> Any:
    """The state that the copy was made of; None if there is none."""
    try:
        return json.loads(seal.read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def _fetch(location: str, copy: Path) -> None:
    store, path = filesystem_of(location)
    with _as_input_errors(location):
        source: Any = store.open(path, "rb", block_size=_BLOCK_BYTES)
    with source, replacing(copy) as stream:
        while True:
            with _as_input_errors(location):
                block = source.read(_BLOCK_BYTES)
            if not block:
                return
            stream.write(block)


@contextmanager
def _as_input_errors(location: str) -> Iterator[None]:
    try:
        with storage_errors(location):
            yield
    except FileNotFoundError:
        raise InputError(f"There is no {shown_address(location)}.") from None
    except (ObjectForbidden, ObjectError) as error:
        raise InputError(str(error)) from None

"""Writing files so that a reader sees all of them or nothing, whatever happens while writing; reading them."""

import json
import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from grounding_assets.core.errors import InputError, RunStopped

_PARTIAL_OWNER = re.compile(r"\.(\d{1,10})-[0-9a-f]{8}\.partial$")
_LEFTOVER_AGE_S = 3600.0
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A stream whose content takes `path`'s place when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name[:100]}.{os.getpid()}-{secrets.token_hex(4)}.partial")
    try:
        with partial.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def stopping_if_unwritable(path: Path) -> Iterator[None]:
    """Turns a write that fails into `RunStopped`, with a message that says where and what to do."""
    try:
        yield
    except OSError as error:
        raise RunStopped(
            f"Cannot write {path}: {error.strerror}. What is finished is kept; make room or allow writing, "
            "then run again."
        ) from None


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Streams rows into a JSONL file, replacing it at the end; returns how many there were.

    Raises:
        RunStopped: the file cannot be written.
    """
    count = 0
    with stopping_if_unwritable(path), replacing(path) as stream:
        for row in rows:
            stream.write(to_json(row) + b"\n")
            count += 1
    return count


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Streams the rows of a JSONL file that this project wrote.

    Raises:
        InputError: there is no such file, it cannot be opened, or a line of it is not a JSON object.
    """
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        raise InputError(f"There is no {path} yet: run `auto_label generate` with the same spec.") from None
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.") from None
    with stream:
        for number, line in enumerate(stream, 1):
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            if not isinstance(row, dict):
                raise InputError(f"{path}, line {number} is not a JSON object. Run again to write it anew.")
            yield row


def to_json(value: Any) -> bytes:
    try:
        return _ENCODER.encode(value).encode("utf-8")
    except UnicodeEncodeError:
        # half a surrogate pair, which some endpoints send, has no form in UTF-8 but one in JSON
        return json.dumps(value, ensure_ascii=True, allow_nan=False).encode("ascii")


def remove_leftovers(folder: Path) -> None:
    """Removes what killed processes were writing: partial files over an hour old whose process is gone."""
    for partial in folder.glob(".*.partial"):
        owner = _PARTIAL_OWNER.search(partial.name)
        if owner is None or _is_running(int(owner.group(1))):
            continue
        try:
            # a process of another machine that shares the folder may have this id, too
            if time.time() - partial.stat().st_mtime > _LEFTOVER_AGE_S:
                partial.unlink()
        except FileNotFoundError:
            continue


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True

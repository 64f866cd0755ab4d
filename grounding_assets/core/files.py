"""Writing files so that a reader sees all of them or nothing, whatever happens while writing."""

import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from grounding_assets.core.errors import RunStopped


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


def to_json(value: Any) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except UnicodeEncodeError:
        # half a surrogate pair, which some endpoints send, has no form in UTF-8 but one in JSON
        return json.dumps(value, ensure_ascii=True, allow_nan=False).encode("ascii")

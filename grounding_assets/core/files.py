"""Writing files so that a reader sees all of them or nothing, whatever happens while writing; reading them."""

import errno
import fcntl
import itertools
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
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
"""What file systems without locks say, in flock(2)'s words."""
_NUMBERS = itertools.count(secrets.randbits(32))
_UNICODE_LINE_ENDS = re.compile("[\x85\u2028\u2029]")
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A stream whose content takes `path`'s place when the block ends without an error."""
    make_folder(path.parent)
    partial = _partial(path)
    try:
        with partial.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
        sync_folder(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> os.stat_result:
    """Puts a small file in its place, durable before it has its name; returns what the system knows of it.

    The name itself is durable once the folder has been synced, see `sync_folder`: a power cut before that brings back
    what lay there before, whole.

    The same as `replacing` in a third of the system calls: each of them lets go of the interpreter, and getting it
    back is what a thread beside a busy event loop spends most of its time on.

    Raises:
        OSError: it cannot be written; FileNotFoundError if its folder is not there.
    """
    partial = _partial(path)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        try:
            left = memoryview(content)
            while left:
                left = left[os.write(descriptor, left) :]
            os.fsync(descriptor)
            status = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return status


def make_folder(folder: Path) -> None:
    """Makes a folder, and what lacks above it. Their names are durable: with a name goes all that is below it.

    Raises:
        OSError: it cannot be made.
    """
    made = list(itertools.takewhile(lambda path: not path.exists(), (folder, *folder.parents)))
    folder.mkdir(parents=True, exist_ok=True)
    for path in made:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable: what was renamed, linked or removed there survives a power cut.

    Raises:
        OSError: the folder cannot be synced.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        # removed meanwhile, with all that was to be kept in it
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        # file systems that cannot sync a folder say so; their names are as durable as they make them
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def stamp_of(status: os.stat_result) -> int:
    """Time of change and size of a file in one number below 2**128: another one if the file was written again."""
    return status.st_mtime_ns % (1 << 80) << 40 | status.st_size


def written_ns(stamp: int) -> int:
    """The time of change in it, in nanoseconds since 1970."""
    return stamp >> 40


def file_stamp(path: Path) -> int:
    """The stamp of what lies at the path; 0 if nothing can be found out about it."""
    try:
        return stamp_of(path.stat())
    except (OSError, ValueError):
        return 0


def short_file_stamp(path: Path) -> int:
    """The same in 8 bytes, for a million files."""
    stamp = file_stamp(path)
    return (stamp >> 40) * 0x9E3779B97F4A7C15 + stamp % (1 << 40) & (1 << 64) - 1


def _partial(path: Path) -> Path:
    """A name beside it that no other process or thread takes; `remove_leftovers` knows it."""
    number = next(_NUMBERS) & 0xFFFFFFFF
    return path.with_name(f".{path.name[:100]}.{os.getpid()}-{number:08x}.partial")


@contextmanager
def locked(folder: Path, *, required: bool = True) -> Iterator[bool]:
    """Holds off other processes that lock the same folder.

    Yields whether it does: not on a file system without locks, if none is `required`.

    Raises:
        OSError: the folder cannot be opened or locked; FileNotFoundError if it was taken away, also while waiting.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        is_locked = True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            if required or error.errno not in _NO_LOCKS:
                raise
            is_locked = False
        if not os.path.samestat(os.fstat(descriptor), folder.stat()):
            # a lock on what has no name any more holds nobody off
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))
        yield is_locked
    finally:
        os.close(descriptor)


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
        InputError: there is no such file, it cannot be read, or a line of it is not a JSON object.
    """
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                row = json_object(line)
                if row is None:
                    raise InputError(f"{path}, line {number} is not a JSON object. Run again to rewrite it.")
                yield row
    except FileNotFoundError:
        raise InputError(f"There is no {path} yet: run `auto_label generate` with the same spec.") from None
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.") from None


def json_object(text: str | bytes) -> dict[str, Any] | None:
    """What the text says, or None if it is no JSON object."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def to_json(value: Any) -> bytes:
    text = _ENCODER.encode(value)
    if not text.isascii():
        # readers that split lines as Unicode does would cut a row there
        text = _UNICODE_LINE_ENDS.sub(lambda found: ascii(found[0])[1:-1].replace("\\x", "\\u00"), text)
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        # half a surrogate pair, which some endpoints send, has no form in UTF-8 but one in JSON
        return json.dumps(value, ensure_ascii=True, allow_nan=False).encode("ascii")


def remove_leftovers(folder: Path) -> None:
    """Removes what killed processes were writing: partial files over an hour old whose process is gone."""
    for partial in folder.glob(".*.partial"):
        owner = _PARTIAL_OWNER.search(partial.name)
        if owner is None or is_running(int(owner.group(1))):
            continue
        try:
            # a process of another machine that shares the folder may have this id, too
            if time.time() - partial.stat().st_mtime > _LEFTOVER_AGE_S:
                partial.unlink()
        except FileNotFoundError:
            continue


def is_running(pid: int) -> bool:
    """Whether a process of this machine has the id; a zombie has."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True

"""A shard's results between a folder of this machine and object storage, in segments: each is written once, by one run.

A segment is JSON lines, one for each file that is new, was changed or has gone since the segment before. They are applied in
the order of their names: the number of the claim under which a run had the shard, then a number of its own.
"""

import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from grounding_assets.core.errors import GroundingError, InputError, StorageUnavailable
from grounding_assets.core.files import stopping_if_unwritable, to_json
from resources.object_storage import ObjectError, ObjectForbidden, patiently, storage_errors
from resources.stored_folder import StoredFolder

PUSH_EVERY_S = 1.0
"""A machine that dies loses what it made since the last push."""
_MAY_PASS = (StorageUnavailable, ObjectForbidden, ObjectError)
"""A run whose results cannot be stored is given time before it stops asking for more."""
_WHOLE = "999999-whole"
_ATTEMPTS = 5
"""To read all segments as they were listed."""
_TIMES_END = 1 << 63
"""Nanoseconds since 1970 that a file system can hold are fewer."""
_KEPT = re.compile(
    r"samples\.jsonl|\.redo/[^/.][^/]*\.json"
    r"|step_\d_[a-z_]+/(\.ckpt|\.failed|\.redone|\.partial|\.retired/[^/.][^/]*)/[^/.][^/]*\.json"
)
"""Files of a results folder that cannot be made again from others."""


class Segments:
    """The segments of one shard: `folder` in the storage, `results` here."""

    def __init__(self, folder: StoredFolder, results: Path, generation: int):
        self._folder, self._results, self._generation = folder, results, generation
        self._known: dict[str, tuple[int, int]] = {}
        self._scanned: dict[Path, int] = {}
        self._number = 0
        self._pushing = threading.Lock()

    def pull(self) -> int:
        """Brings all results here; returns how many segments there were.

        Raises:
            InputError: one of them is damaged.
            StorageUnavailable: they are others each time.
        """
        for _ in range(_ATTEMPTS):
            names = self._folder.names()
            if not all(map(self._apply, names)):
                # whoever has the shard made one of them meanwhile, in which what was removed is not named any more
                for name, _ in [*self._found()]:
                    (self._results / name).unlink()
                continue
            self._known = dict(self._found())
            return len(names)
        raise StorageUnavailable(
            f"{self._folder.address} was changed each time that it was read: run again when no other run works on this shard."
        )

    def push(self) -> None:
        """One segment of what is new since the last one, if anything is."""
        with self._pushing:
            try:
                changed = self._send_changed()
            except BaseException:
                # the next one looks into all folders: what is in them was not sent
                self._scanned.clear()
                raise
            for name, stamp in changed.items():
                if stamp is None:
                    self._known.pop(name, None)
                else:
                    self._known[name] = stamp

    def _send_changed(self) -> dict[str, tuple[int, int] | None]:
        changed = dict(self._changed())
        if changed:
            content = b"".join(self._row(name) + b"\n" for name in changed)
            self._number += 1
            path = self._folder.path_of(f"{self._generation:06d}-{self._number:06d}.jsonl")
            with storage_errors(self._folder.address):
                self._folder.store.pipe_file(path, content)
        return changed

    def compact(self) -> None:
        """One segment of everything; then the earlier ones go, and those of later claims stay."""
        whole = f"{self._generation:06d}-{_WHOLE}.jsonl"
        earlier = [name for name in self._folder.names() if name <= whole]
        if earlier == [whole]:
            return
        with NamedTemporaryFile() as content:
            for name, _ in self._found():
                content.write(self._row(name) + b"\n")
            content.flush()
            self._folder.put(Path(content.name), whole)
        for name in earlier:
            if name != whole:
                self._folder.remove(name)

    def _apply(self, segment: str) -> bool:
        """False if the segment has gone."""
        content = self._folder.read(segment)
        for line in (content or b"").splitlines():
            self._apply_line(line, segment)
        return content is not None

    def _apply_line(self, line: bytes, segment: str) -> None:
        try:
            row = json.loads(line)
            # segments of earlier versions tell no times
            name, text, changed_ns = row["file"], row["text"], row.get("ns")
            sound = isinstance(name, str) and isinstance(text, str | None) and _KEPT.fullmatch(name)
            sound = sound and isinstance(changed_ns, int | None) and 0 <= (changed_ns or 0) < _TIMES_END
        except (ValueError, KeyError, TypeError):
            sound, name, text, changed_ns = None, "", None, None
        if not sound:
            raise InputError(
                f"{self._folder.address}/{segment} holds a line that no run wrote. Delete that object: its samples are annotated again."
            )
        file = self._results / name
        if text is None:
            file.unlink(missing_ok=True)
            return
        with stopping_if_unwritable(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode("utf-8", "surrogatepass"))
            if changed_ns is not None:
                # when a result was made, not when it was brought here: what is right until some moment is told by it
                os.utime(file, ns=(changed_ns, changed_ns))

    def _row(self, name: str) -> bytes:
        try:
            with (self._results / name).open("rb") as stream:
                text = stream.read().decode("utf-8", "surrogatepass")
                changed_ns = os.fstat(stream.fileno()).st_mtime_ns
        except FileNotFoundError:
            return to_json({"file": name, "text": None})
        return to_json({"file": name, "text": text, "ns": changed_ns})

    def _changed(self) -> Iterator[tuple[str, tuple[int, int] | None]]:
        """Files that are not as they were pushed, with their stamps; None for those that have gone."""
        folders = set()
        for folder in self._folders():
            stamp = folder.stat().st_mtime_ns
            # renames and removals change a folder's own time; one that changed in this very tick is looked at again
            if self._scanned.get(folder) == stamp and time.time_ns() - stamp > 2_000_000_000:
                continue
            self._scanned[folder] = stamp
            folders.add(str(folder.relative_to(self._results)))
            yield from (
                (name, found) for name, found in self._files(folder) if self._known.get(name) != found
            )
        for name in [*self._known]:
            if (name.rpartition("/")[0] or ".") in folders and not (self._results / name).exists():
                yield name, None

    def _found(self) -> Iterator[tuple[str, tuple[int, int]]]:
        for folder in self._folders():
            yield from self._files(folder)

    def _folders(self) -> Iterator[Path]:
        yield self._results
        for pattern in (".redo", "step_*/.*", "step_*/.retired/*"):
            yield from (folder for folder in self._results.glob(pattern) if folder.is_dir())

    def _files(self, folder: Path) -> Iterator[tuple[str, tuple[int, int]]]:
        with os.scandir(folder) as entries:
            for entry in entries:
                name = str(Path(entry.path).relative_to(self._results))
                if not _KEPT.fullmatch(name):
                    continue
                with suppress(FileNotFoundError):
                    status = entry.stat()
                    yield name, (status.st_mtime_ns, status.st_size)


class Pushing:
    """Pushes once in a while, in a thread of its own, until the block ends. A context manager."""

    def __init__(self, push: Callable[[], None], address: str):
        self._push, self._address = push, address
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="segments", daemon=True)
        self.trouble: GroundingError | None = None
        """Why nothing more could be stored, or must not be."""

    def __enter__(self) -> "Pushing":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._over.wait(PUSH_EVERY_S):
            try:
                patiently(self._address, self._push, patient_with=_MAY_PASS)
            except GroundingError as error:
                self.trouble = error
                # as if somebody had stopped the run: calls in flight are given time
                os.kill(os.getpid(), signal.SIGTERM)
                return

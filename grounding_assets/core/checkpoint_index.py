"""What a step's checkpoints hold, known without opening 100,000 files.

A journal beside the checkpoints remembers each file's digests together with its size and time of
change. A file that does not match its entry is read again, so the journal can be deleted, cut or
outdated at any time: it makes nothing true, it only saves reading.
"""

import json
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from grounding_assets.core.checkpoints import Checkpoint, CheckpointStore
from grounding_assets.core.files import stopping_if_unwritable, write_lines

_JOURNAL = ".index.jsonl"


@dataclass(frozen=True, slots=True)
class IndexEntry:
    fingerprint: str
    output_fingerprint: str
    settings_fingerprint: str
    stamp: int
    """The file's time of change and size in one number, see `_stamp`; one, since there are 100,000."""


class CheckpointIndex:
    """The digests of every checkpoint of a step, by sample id."""

    def __init__(self, store: CheckpointStore):
        self.store = store
        self.entries: dict[str, IndexEntry] = {}
        self.corrupt = 0
        """Files that were set aside by the last refresh because they could not be read."""
        self._journal = store.step_dir / _JOURNAL
        self._unsaved: list[bytes] = []
        self._lock = threading.Lock()

    def refresh(self) -> "CheckpointIndex":
        """Brings the entries in line with the files; reads only those that changed."""
        remembered = dict(self._read_journal())
        entries: dict[str, IndexEntry] = {}
        changed = 0
        self.corrupt = 0
        for sample_id, stamp in self._files():
            entry = remembered.pop(sample_id, None)
            # an entry without output digest was written before there was a step after it
            if entry is None or entry.stamp != stamp or not entry.output_fingerprint:
                changed += 1
                checkpoint = self.store.load(sample_id)
                if checkpoint is None:
                    self.corrupt += 1
                    continue
                entry = _entry(checkpoint, stamp)
            entries[sample_id] = entry
        self.entries = entries
        if changed or remembered:
            rows = (_journal_row(sample_id, entry) for sample_id, entry in entries.items())
            write_lines(self._journal, rows)
        return self

    def note(self, checkpoint: Checkpoint) -> None:
        """Remembers a checkpoint that was just saved. Thread-safe."""
        path = self.store.path(checkpoint.sample_id)
        with stopping_if_unwritable(path):
            stamp = _stamp(path.stat())
        entry = _entry(checkpoint, stamp)
        line = json.dumps(_journal_row(checkpoint.sample_id, entry), ensure_ascii=False).encode() + b"\n"
        with self._lock:
            self.entries[checkpoint.sample_id] = entry
            self._unsaved.append(line)
            if len(self._unsaved) >= 256:
                self._append()

    def forget(self, sample_id: str) -> None:
        """The checkpoint has turned out to be gone."""
        self.entries.pop(sample_id, None)

    def flush(self) -> None:
        with self._lock:
            self._append()

    def _append(self) -> None:
        if self._unsaved:
            # one write in append mode: lines of two processes do not mix
            with stopping_if_unwritable(self._journal):
                descriptor = os.open(self._journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
                try:
                    os.write(descriptor, b"".join(self._unsaved))
                finally:
                    os.close(descriptor)
            self._unsaved.clear()

    def _files(self) -> Iterator[tuple[str, int]]:
        if not self.store.done_dir.is_dir():
            return
        with os.scandir(self.store.done_dir) as found:
            for file in found:
                if file.name.endswith(".json") and not file.name.startswith("."):
                    yield sys.intern(file.name.removesuffix(".json")), _stamp(file.stat())

    def _read_journal(self) -> Iterator[tuple[str, IndexEntry]]:
        try:
            stream = self._journal.open("rb")
        except FileNotFoundError:
            return
        with stream:
            for line in stream:
                try:
                    row = json.loads(line)
                    yield (
                        sys.intern(row["id"]),
                        _interned(row["in"], row["out"], row["set"], int(row["stamp"])),
                    )
                except (ValueError, KeyError, TypeError, RecursionError):
                    # a line cut by a kill: its checkpoint is simply read again
                    continue


def _stamp(status: os.stat_result) -> int:
    return status.st_mtime_ns << 40 | status.st_size


def _entry(checkpoint: Checkpoint, stamp: int) -> IndexEntry:
    return _interned(
        checkpoint.fingerprint, checkpoint.next_fingerprint, checkpoint.settings_fingerprint, stamp
    )


def _interned(fingerprint: str, output: str, settings: str, stamp: int) -> IndexEntry:
    """A step's output digest is the next one's input digest: interned, each is held once."""
    return IndexEntry(sys.intern(fingerprint), sys.intern(output), sys.intern(settings), stamp)


def _journal_row(sample_id: str, entry: IndexEntry) -> dict[str, object]:
    return {
        "id": sample_id,
        "in": entry.fingerprint,
        "out": entry.output_fingerprint,
        "set": entry.settings_fingerprint,
        "stamp": entry.stamp,
    }

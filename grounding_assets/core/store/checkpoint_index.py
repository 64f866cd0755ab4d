"""What a step's checkpoints hold, known without opening 100,000 files.

A journal beside the checkpoints remembers each file's digests together with its size and time of
change. A file that does not match its entry is read again, so the journal can be deleted, cut or
outdated at any time: it makes nothing true, it only saves reading.
"""

import os
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from grounding_assets.core.files import replacing, stopping_if_unwritable
from grounding_assets.core.store.checkpoint import Checkpoint
from grounding_assets.core.store.checkpoint_store import CheckpointStore
from grounding_assets.core.store.compact_dict import (
    DIGEST_BYTES,
    Numbering,
    PackedEntries,
    digest_end,
    pack_digest,
    unpack_digest,
)

_JOURNAL = ".index.tsv"
_STAMP_BYTES = 16
_ENTRY_BYTES = _STAMP_BYTES + 3 * DIGEST_BYTES
_STAMP = re.compile(r"[0-9]{1,38}")


@dataclass(frozen=True, slots=True)
class IndexEntry:
    fingerprint: str
    output_fingerprint: str
    settings_fingerprint: str
    stamp: int
    """The file's time of change and size in one number, see `_stamp`."""


class CheckpointIndex:
    """The digests of every checkpoint of a step, by sample id."""

    def __init__(self, store: CheckpointStore, numbering: Numbering | None = None):
        """`numbering` is that of other dictionaries over the same ids, which saves memory."""
        self.store = store
        self._numbering = numbering or Numbering()
        self.entries = self._no_entries()
        self.corrupt = 0
        """Files that were set aside by the last refresh because they could not be read."""
        self.vanished = 0
        """Files that were there at the last refresh, or saved since, and have gone."""
        self._journal = store.step_dir / _JOURNAL
        self._unsaved: list[bytes] = []
        self._lock = threading.Lock()

    def refresh(self) -> "CheckpointIndex":
        """Brings the entries in line with the files; reads only those that changed."""
        remembered, entries = self._read_journal(), self._no_entries()
        changed = 0
        self.corrupt = self.vanished = 0
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
            with stopping_if_unwritable(self._journal), replacing(self._journal) as stream:
                stream.writelines(_journal_line(sample_id, entry) for sample_id, entry in entries.items())
        return self

    def packed_digests(self, sample_id: str) -> tuple[bytes, bytes, bytes] | None:
        """Digests of input, output and settings as `pack_digest` makes them: to be compared, 800,000 times."""
        packed = self.entries.packed(sample_id)
        if packed is None:
            return None
        output = digest_end(packed, _STAMP_BYTES)
        settings = digest_end(packed, output)
        return packed[_STAMP_BYTES:output], packed[output:settings], packed[settings:]

    def save(self, checkpoint: Checkpoint) -> None:
        """Stores a result and remembers it. Thread-safe; raises as `CheckpointStore.save` does."""
        self.note(checkpoint, self.store.save(checkpoint))

    def note(self, checkpoint: Checkpoint, status: os.stat_result) -> None:
        """Remembers a checkpoint that was just saved as a file of this status. Thread-safe."""
        entry = _entry(checkpoint, _stamp(status))
        line = _journal_line(checkpoint.sample_id, entry)
        with self._lock:
            self.entries[checkpoint.sample_id] = entry
            self._unsaved.append(line)
            if len(self._unsaved) >= 256:
                self._append()

    def look_again(self, sample_id: str) -> Checkpoint | None:
        """The checkpoint, where another run has written one since this index last saw the file. Thread-safe."""
        try:
            status = self.store.path(sample_id).stat()
        except FileNotFoundError:
            return None
        entry = self.entries.get(sample_id)
        if entry is not None and entry.stamp == _stamp(status):
            return None
        checkpoint = self.store.load(sample_id)
        if checkpoint is not None:
            # where yet another one has come since, the old status makes the next refresh read it
            self.note(checkpoint, status)
        return checkpoint

    def forget(self, sample_id: str) -> None:
        """The checkpoint has turned out to be gone."""
        if self.entries.pop(sample_id, None) is not None:
            self.vanished += 1

    def flush(self) -> None:
        with self._lock:
            self._append()

    def _append(self) -> None:
        if self._unsaved:
            # one write in append mode: lines of two processes do not mix; where the folder has gone, what
            # they are about has gone with it
            with stopping_if_unwritable(self._journal), suppress(FileNotFoundError):
                descriptor = os.open(self._journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
                try:
                    os.write(descriptor, b"".join(self._unsaved))
                finally:
                    os.close(descriptor)
            self._unsaved.clear()

    def _no_entries(self) -> PackedEntries[IndexEntry]:
        return PackedEntries(_pack, _unpack, usual_bytes=_ENTRY_BYTES, numbering=self._numbering)

    def _files(self) -> Iterator[tuple[str, int]]:
        if not self.store.done_dir.is_dir():
            return
        with os.scandir(self.store.done_dir) as found:
            for file in found:
                if file.name.endswith(".json") and not file.name.startswith("."):
                    yield file.name.removesuffix(".json"), _stamp(file.stat())

    def _read_journal(self) -> PackedEntries[IndexEntry]:
        remembered = self._no_entries()
        try:
            stream = self._journal.open("rb")
        except FileNotFoundError:
            return remembered
        with stream:
            for line in stream:
                fields = line.decode("utf-8", "replace").removesuffix("\n").split("\t")
                # a line cut by a kill, or edited: its checkpoint is simply read again
                if len(fields) != 5 or not line.endswith(b"\n") or not _STAMP.fullmatch(fields[1]):
                    continue
                sample_id, stamp, *digests = fields
                remembered[sample_id] = IndexEntry(digests[0], digests[1], digests[2], int(stamp))
        return remembered


def _stamp(status: os.stat_result) -> int:
    return status.st_mtime_ns << 40 | status.st_size


def _entry(checkpoint: Checkpoint, stamp: int) -> IndexEntry:
    return IndexEntry(
        checkpoint.fingerprint, checkpoint.next_fingerprint, checkpoint.settings_fingerprint, stamp
    )


def _pack(entry: IndexEntry) -> bytes:
    digests = (entry.fingerprint, entry.output_fingerprint, entry.settings_fingerprint)
    return entry.stamp.to_bytes(_STAMP_BYTES, "big") + b"".join(map(pack_digest, digests))


def _unpack(packed: bytes) -> IndexEntry:
    fingerprint, next_one = unpack_digest(packed, _STAMP_BYTES)
    output, next_one = unpack_digest(packed, next_one)
    settings, _ = unpack_digest(packed, next_one)
    return IndexEntry(fingerprint, output, settings, int.from_bytes(packed[:_STAMP_BYTES], "big"))


def _journal_line(sample_id: str, entry: IndexEntry) -> bytes:
    """Tab-separated, since reading 200,000 lines of JSON takes seconds. Ids hold no tabs, digests are hexadecimal."""
    digests = (entry.fingerprint, entry.output_fingerprint, entry.settings_fingerprint)
    return "\t".join((sample_id, str(entry.stamp), *digests)).encode("utf-8", "replace") + b"\n"

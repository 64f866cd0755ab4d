"""What a step's checkpoints hold, known without opening 100,000 files.

A journal beside the checkpoints remembers each file's digests together with its size and time of
change. A file that does not match its entry is read again, so the journal can be deleted, cut or
outdated at any time: it makes nothing true, it only saves reading.
"""

import os
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from grounding_assets.core.errors import RunStopped
from grounding_assets.core.files import replacing, stamp_of, stopping_if_unwritable, written_ns
from grounding_assets.core.steps import Step
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
_ORDER_BYTES = 8
_IMAGE_STAMP_BYTES = 8
_ORDER_START = _STAMP_BYTES + _IMAGE_STAMP_BYTES
_HEAD_BYTES = _ORDER_START + _ORDER_BYTES
_ENTRY_BYTES = _HEAD_BYTES + 3 * DIGEST_BYTES
_LINE = re.compile(
    rb"([^\t\n]+)\t([0-9]{1,38})\t([0-9]{1,20})\t([0-9a-f]{16})?\t([^\t\n]*)\t([^\t\n]*)\t([^\t\n]*)\n"
)
"""Id, stamp, image stamp, order, and the digests of input, output and settings."""
_NO_ORDER = "00" * _ORDER_BYTES


@dataclass(frozen=True, slots=True)
class IndexEntry:
    fingerprint: str
    output_fingerprint: str
    settings_fingerprint: str
    stamp: int
    """The checkpoint file's, see `files.stamp_of`."""
    image_stamp: int
    """The image file's (`files.short_file_stamp`), when its content was last found to be what the result was made from; 0: not known."""
    order_id: str
    """See `Checkpoint.order_id`."""


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
        entries, found = self._read_journal(), set[str]()
        changed = False
        self.corrupt = self.vanished = 0
        for sample_id, stamp in self._files():
            found.add(sample_id)
            packed = entries.packed(sample_id)
            if packed is not None and packed[:_STAMP_BYTES] == stamp.to_bytes(_STAMP_BYTES, "big"):
                continue
            changed = True
            checkpoint = self.store.load(sample_id)
            if checkpoint is None:
                self.corrupt += 1
                found.discard(sample_id)
            else:
                entries[sample_id] = _entry(checkpoint, stamp)
        gone = [sample_id for sample_id in entries if sample_id not in found]
        for sample_id in gone:
            del entries[sample_id]
        self.entries = entries
        if changed or gone:
            with stopping_if_unwritable(self._journal), replacing(self._journal) as stream:
                stream.writelines(_journal_line(sample_id, entry) for sample_id, entry in entries.items())
        return self

    def stamp(self, sample_id: str) -> int:
        """Of the sample's entry; 0 if there is none."""
        packed = self.entries.packed(sample_id)
        return 0 if packed is None else int.from_bytes(packed[:_STAMP_BYTES], "big")

    def packed_digests(self, sample_id: str) -> tuple[bytes, bytes, bytes] | None:
        """Digests of input, output and settings as `pack_digest` makes them: to be compared, 800,000 times."""
        packed = self.entries.packed(sample_id)
        if packed is None:
            return None
        output = digest_end(packed, _HEAD_BYTES)
        settings = digest_end(packed, output)
        return packed[_HEAD_BYTES:output], packed[output:settings], packed[settings:]

    def save(self, checkpoint: Checkpoint) -> None:
        """Stores a result and remembers it. Thread-safe; raises as `CheckpointStore.save` does."""
        self.note(checkpoint, self.store.save(checkpoint))

    def note(self, checkpoint: Checkpoint, status: os.stat_result) -> None:
        """Remembers a checkpoint that was just saved as a file of this status. Thread-safe."""
        self._put(checkpoint.sample_id, _entry(checkpoint, stamp_of(status)))

    def _put(self, sample_id: str, entry: IndexEntry) -> None:
        line = _journal_line(sample_id, entry)
        with self._lock:
            self.entries[sample_id] = entry
            self._unsaved.append(line)
            if len(self._unsaved) >= 256:
                self._append()

    def image_stamp(self, sample_id: str) -> int:
        """Of the sample's entry, which must be there."""
        return int.from_bytes(self.entries.packed_there(sample_id)[_STAMP_BYTES:_ORDER_START], "big")

    def order_id(self, sample_id: str) -> str:
        """Of the sample's entry, which must be there."""
        order = self.entries.packed_there(sample_id)[_ORDER_START:_HEAD_BYTES]
        return order.hex() if any(order) else ""

    def amend(self, sample_id: str, *, image_stamp: int | None = None, order_id: str | None = None) -> None:
        """Remembers more of a result that stays as it is. Thread-safe."""
        entry = self.entries[sample_id]
        if image_stamp is not None:
            entry = replace(entry, image_stamp=image_stamp)
        if order_id is not None:
            entry = replace(entry, order_id=order_id)
        self._put(sample_id, entry)

    def look_again(self, sample_id: str) -> Checkpoint | None:
        """The checkpoint, if another run has written one since this index last saw the file. Thread-safe."""
        try:
            status = self.store.path(sample_id).stat()
        except FileNotFoundError:
            return None
        entry = self.entries.get(sample_id)
        if entry is not None and entry.stamp == stamp_of(status):
            return None
        checkpoint = self.store.load(sample_id)
        if checkpoint is not None:
            # if yet another one has come since, the old status makes the next refresh read it
            self.note(checkpoint, status)
        return checkpoint

    def written_ns(self, sample_id: str) -> int:
        """When the sample's checkpoint was written, by its file, in nanoseconds since 1970; 0 if there is none."""
        return written_ns(self.stamp(sample_id))

    def retire(self, sample_id: str) -> None:
        """Keeps a result aside: there is none any more."""
        self.store.retire(sample_id)
        self.entries.pop(sample_id, None)

    def forget(self, sample_id: str) -> None:
        """The checkpoint has turned out to be gone."""
        if self.entries.pop(sample_id, None) is not None:
            self.vanished += 1

    def flush(self) -> None:
        """Makes all that was saved so far survive a power cut, and writes down what is known of it."""
        self.store.sync()
        with self._lock:
            self._append()

    def _append(self) -> None:
        if self._unsaved:
            # one write in append mode: lines of two processes do not mix; if the folder has gone, what
            # they are about has gone with it
            with (
                stopping_if_unwritable(self._journal),
                suppress(FileNotFoundError),
                self._journal.open("ab", buffering=0) as stream,
            ):
                stream.write(b"".join(self._unsaved))
            self._unsaved.clear()

    def _no_entries(self) -> PackedEntries[IndexEntry]:
        return PackedEntries(_pack, _unpack, usual_bytes=_ENTRY_BYTES, numbering=self._numbering)

    def _files(self) -> Iterator[tuple[str, int]]:
        if not self.store.done_dir.is_dir():
            return
        with os.scandir(self.store.done_dir) as found:
            for file in found:
                if file.name.endswith(".json") and not file.name.startswith("."):
                    try:
                        yield file.name.removesuffix(".json"), stamp_of(file.stat())
                    except FileNotFoundError:
                        # moved by another run since it was listed, or a link to nothing
                        continue
                    except OSError as error:
                        raise RunStopped(
                            f"Cannot read {file.path}: {error.strerror}. Repair or remove it, then run again."
                        ) from None

    def _read_journal(self) -> PackedEntries[IndexEntry]:
        remembered = self._no_entries()
        try:
            stream = self._journal.open("rb")
        except FileNotFoundError:
            return remembered
        with stream:
            for line in stream:
                fields = _LINE.fullmatch(line)
                # a line cut by a kill, or edited: its checkpoint is simply read again
                packed = _packed_line(fields) if fields is not None else None
                if fields is not None and packed is not None:
                    remembered.put_packed(fields[1].decode("utf-8", "replace"), packed)
        return remembered


class StepResults:
    """One step's store and the index over it."""

    def __init__(self, results_dir: Path, step: Step, numbering: Numbering):
        self.store = CheckpointStore(results_dir / step.folder)
        self.index = CheckpointIndex(self.store, numbering)

    @property
    def annotations(self) -> Path:
        return self.store.step_dir / "annotations.jsonl"


def _packed_line(fields: re.Match[bytes]) -> bytes | None:
    """The entry of a journal's line as `_pack` makes it; None if no run can have written it."""
    _, stamp, image_stamp, order_id, *digests = fields.groups(b"")
    texts = [digest.decode("utf-8", "replace") for digest in digests]
    try:
        return _packed(int(stamp), int(image_stamp), order_id.decode("ascii"), texts)
    except OverflowError:
        return None


def _entry(checkpoint: Checkpoint, stamp: int) -> IndexEntry:
    return IndexEntry(
        checkpoint.fingerprint,
        checkpoint.next_fingerprint,
        checkpoint.settings_fingerprint,
        stamp,
        checkpoint.image_stamp,
        checkpoint.order_id,
    )


def _pack(entry: IndexEntry) -> bytes:
    digests = (entry.fingerprint, entry.output_fingerprint, entry.settings_fingerprint)
    return _packed(entry.stamp, entry.image_stamp, entry.order_id, digests)


def _packed(stamp: int, image_stamp: int, order_id: str, digests: Iterable[str]) -> bytes:
    head = (
        stamp.to_bytes(_STAMP_BYTES, "big"),
        image_stamp.to_bytes(_IMAGE_STAMP_BYTES, "big"),
        bytes.fromhex(order_id or _NO_ORDER),
    )
    return b"".join((*head, *map(pack_digest, digests)))


def _unpack(packed: bytes) -> IndexEntry:
    fingerprint, next_one = unpack_digest(packed, _HEAD_BYTES)
    output, next_one = unpack_digest(packed, next_one)
    settings, _ = unpack_digest(packed, next_one)
    stamp = int.from_bytes(packed[:_STAMP_BYTES], "big")
    image_stamp = int.from_bytes(packed[_STAMP_BYTES:_ORDER_START], "big")
    order = packed[_ORDER_START:_HEAD_BYTES].hex()
    return IndexEntry(fingerprint, output, settings, stamp, image_stamp, "" if order == _NO_ORDER else order)


def _journal_line(sample_id: str, entry: IndexEntry) -> bytes:
    """Tab-separated, since reading 200,000 lines of JSON takes seconds. Ids hold no tabs, digests are hexadecimal."""
    digests = (entry.fingerprint, entry.output_fingerprint, entry.settings_fingerprint)
    head = (sample_id, str(entry.stamp), str(entry.image_stamp), entry.order_id)
    return "\t".join((*head, *digests)).encode("utf-8", "replace") + b"\n"

"""The samples of a data set: which there are, in which order, and how to read one again.

Only ids, offsets and digests are held, so that 100,000 samples fit in a few tens of megabytes; the
records themselves are read from the input again when they are needed, unless the input is small.
"""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from grounding_assets.core.dataset.input_file import (
    MAX_LINE_BYTES,
    InputLine,
    UsableLines,
    declared_size,
    parse_line,
    read_input,
)
from grounding_assets.core.dataset.sample_ids import SampleIds
from grounding_assets.core.errors import InputError
from grounding_assets.core.records import Sample
from grounding_assets.core.store.compact_dict import (
    DIGEST_BYTES,
    Numbering,
    PackedEntries,
    pack_digest,
    unpack_digest,
)
from grounding_assets.core.store.fingerprint import extraction_fingerprint

STORED = 1
"""Stamp of an image in object storage that was not asked for yet."""
_KEPT_INPUT_BYTES = 4 << 20
"""The records of an input up to this size are kept: some 20,000 lines, which take five times the room."""
_SETTLED_NS = 1_000_000_000
"""A file that changed within this time before it was read can change again without another time of change."""
_PART_BYTES = 16 << 10
_OFFSET_BYTES = _STAMP_BYTES = 8
_HEAD_BYTES = _OFFSET_BYTES + _STAMP_BYTES


@dataclass(frozen=True, slots=True)
class SampleEntry:
    offset: int
    fingerprint: str
    """Digest of step 0's input, see `fingerprint`."""
    image_stamp: int = 0
    """The image file's when the input was read, see `files.short_file_stamp`; 0: not looked at, or not there; `STORED`."""


class SampleIndex:
    """The samples of one input file, as it was when it was read."""

    def __init__(self, path: Path):
        self.path = path
        self.numbering = Numbering()
        self.entries: PackedEntries[SampleEntry] = PackedEntries(
            _pack, _unpack, usual_bytes=_HEAD_BYTES + DIGEST_BYTES, numbering=self.numbering
        )
        """By sample id, in input order."""
        self.line_ids: list[str] = []
        """The sample id of every accepted line, in input order."""
        self.rejected = 0
        self._repeats: dict[int, str] = {}
        """Fingerprint by offset, of lines whose sample an earlier line has named."""
        self._end_offset = 0
        self._kept: dict[int, dict[str, Any]] = {}
        """The record of every accepted line by its offset, in input order; empty if the input is large."""
        self._kept_of = (0, 0)
        """The stamp of the input that was read."""

    def packed_fingerprint(self, sample_id: str) -> bytes:
        """The sample's fingerprint as `pack_digest` makes it."""
        # asked for as often as `packed`, so without a call between
        packed = self.entries.packed(sample_id)
        if packed is None:
            raise KeyError(sample_id)
        return packed[_HEAD_BYTES:]

    @property
    def stamp(self) -> tuple[int, int]:
        """(time of change in ns, size in bytes) of the input now."""
        status = self.path.stat()
        return status.st_mtime_ns, status.st_size

    @property
    def repeated(self) -> int:
        """Lines whose sample an earlier line has named."""
        return len(self.line_ids) - len(self.entries)

    @property
    def ids(self) -> list[str]:
        return list(self.entries)

    def image_stamp(self, sample_id: str) -> int:
        """See `SampleEntry.image_stamp`."""
        return int.from_bytes(self.entries.packed_there(sample_id)[_OFFSET_BYTES:_HEAD_BYTES], "big")

    def note_image_stamp(self, sample_id: str, stamp: int) -> None:
        """What the storage tells of the image, which building the index did not ask for."""
        self.entries[sample_id] = replace(self.entries[sample_id], image_stamp=stamp)

    def read(self, sample_id: str) -> Sample:
        """The sample, read from the input again.

        Raises:
            InputError: the line is no longer what it was.
        """
        entry = self.entries[sample_id]
        if self._is_kept():
            return to_sample(sample_id, self._kept[entry.offset])
        try:
            sample = to_sample(sample_id, parse_line(_line_at(self.path, entry.offset)))
        except ValueError:
            raise self._changed() from None
        if extraction_fingerprint(sample) != entry.fingerprint:
            raise self._changed()
        return sample

    def records(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """(sample id, input record) of every accepted line, in input order.

        Raises:
            InputError: the file was changed since it was indexed, other than by adding lines.
        """
        if self._is_kept():
            lines = zip(self.line_ids, self._kept.values(), strict=True)
            yield from ((sample_id, record) for sample_id, record in lines if sample_id in self.entries)
            return
        ids = iter(self.line_ids)
        for line in read_input(self.path, end_offset=self._end_offset):
            if isinstance(line, InputLine):
                sample_id = next(ids, None)
                if sample_id is None:
                    raise self._changed()
                fingerprint = extraction_fingerprint(to_sample(sample_id, line.record))
                if sample_id not in self.entries:
                    continue
                entry = self.entries[sample_id]
                # a second line of the same pair may declare another size
                known = entry.fingerprint if entry.offset == line.offset else self._repeats.get(line.offset)
                if fingerprint != known:
                    raise self._changed()
                yield sample_id, line.record
        if next(ids, None) is not None:
            raise self._changed()

    def restrict(self, sample_ids: set[str]) -> None:
        """Leaves out every other sample, as if its lines were not there."""
        for sample_id in [key for key in self.entries if key not in sample_ids]:
            del self.entries[sample_id]

    def _is_kept(self) -> bool:
        """Whether the records are held, and the input still has the stamp that it was read with."""
        try:
            return bool(self._kept) and self.stamp == self._kept_of
        except OSError:
            return False

    def _changed(self) -> InputError:
        return InputError(f"The input {self.path} was changed while the run was reading it; run again.")

    @classmethod
    def build(
        cls,
        path: Path,
        ids: SampleIds,
        *,
        rejected: IO[bytes] | None = None,
        image_stamp: Callable[[str], int] = lambda _: 0,
    ) -> "SampleIndex":
        """Reads the whole input once.

        Args:
            rejected: what refused lines are written to.
            image_stamp: of the image file at a path as given; see `SampleEntry.image_stamp`.

        Raises:
            InputError: the file cannot be read, or holds no usable record.
        """
        index = cls(path)
        keeps = False
        if path.is_file():
            changed_ns, index._end_offset = index._kept_of = index.stamp
            keeps = index._end_offset <= _KEPT_INPUT_BYTES and time.time_ns() - changed_ns > _SETTLED_NS
        lines = UsableLines(path, rejected, end_offset=index._end_offset or None)
        for line in lines:
            if keeps:
                index._kept[line.offset] = line.record
            sample_id = ids.assign(line.record)
            index.line_ids.append(sample_id)
            fingerprint = extraction_fingerprint(to_sample(sample_id, line.record))
            if sample_id in index.entries:
                index._repeats[line.offset] = fingerprint
            else:
                stamp = image_stamp(line.record["image_path"])
                index.entries[sample_id] = SampleEntry(line.offset, fingerprint, stamp)
        index.rejected = lines.rejected
        if not index.entries:
            raise lines.nothing_usable()
        return index


def _line_at(path: Path, offset: int) -> bytes:
    """The line that begins at this byte, read in as few system calls as there can be.

    Raises:
        InputError: the file cannot be opened or read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            line = b""
            while b"\n" not in line and len(line) <= MAX_LINE_BYTES:
                part = os.pread(descriptor, _PART_BYTES, offset + len(line))
                if not part:
                    break
                line += part
        finally:
            os.close(descriptor)
    except OSError as error:
        raise InputError(f"Cannot read the input {path}: {error.strerror}.") from None
    line = line.partition(b"\n")[0]
    return line.removeprefix(b"\xef\xbb\xbf") if offset == 0 else line


def _pack(entry: SampleEntry) -> bytes:
    head = entry.offset.to_bytes(_OFFSET_BYTES, "big") + entry.image_stamp.to_bytes(_STAMP_BYTES, "big")
    return head + pack_digest(entry.fingerprint)


def _unpack(packed: bytes) -> SampleEntry:
    offset = int.from_bytes(packed[:_OFFSET_BYTES], "big")
    image_stamp = int.from_bytes(packed[_OFFSET_BYTES:_HEAD_BYTES], "big")
    return SampleEntry(offset, unpack_digest(packed, _HEAD_BYTES)[0], image_stamp)


def to_sample(sample_id: str, record: dict[str, Any]) -> Sample:
    return Sample(sample_id, record["image_path"], record["caption"], declared_size(record))

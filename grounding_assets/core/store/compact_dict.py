"""Dictionaries of a million small records in a tenth of the memory: each record is a few bytes in one long row.

An object with its strings and numbers costs 300 bytes or more, and there are two or three for every
sample. Records are packed when they are put in and unpacked when asked for.
"""

import threading
from collections.abc import Callable, Iterator, MutableMapping
from typing import Generic, TypeVar

from grounding_assets.core.store.fingerprint import DIGEST_SIZE

RecordT = TypeVar("RecordT")
DIGEST_BYTES = 1 + DIGEST_SIZE
"""Of a packed digest."""
_ABSENT, _IN_ROW, _ASIDE = range(3)


class Numbering:
    """A number for every id, from 0 in the order of their coming; shared by dictionaries over the same ids."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        """To be read only."""
        self._lock = threading.Lock()

    def assign(self, key: str) -> int:
        number = self.numbers.get(key)
        if number is None:
            with self._lock:
                number = self.numbers.setdefault(key, len(self.numbers))
        return number


class PackedEntries(MutableMapping[str, RecordT], Generic[RecordT]):
    """Records by id, in the order of the numbering."""

    def __init__(
        self,
        pack: Callable[[RecordT], bytes],
        unpack: Callable[[bytes], RecordT],
        *,
        usual_bytes: int,
        numbering: Numbering | None = None,
    ):
        """A packed record of another size than usual is kept aside, which takes more memory."""
        self._pack, self._unpack = pack, unpack
        self._usual = usual_bytes
        self._numbering = numbering or Numbering()
        self._row = bytearray()
        self._states = bytearray()
        self._aside: dict[int, bytes] = {}
        self._count = 0

    def packed(self, key: str) -> bytes | None:
        """The packed record, to compare parts of it without unpacking it."""
        # asked for a few million times a run at 100,000 samples, so without a call of its own
        number = self._numbering.numbers.get(key)
        if number is None or number >= len(self._states):
            return None
        state = self._states[number]
        if state == _IN_ROW:
            start = number * self._usual
            return bytes(self._row[start : start + self._usual])
        return self._aside[number] if state == _ASIDE else None

    def packed_there(self, key: str) -> bytes:
        """The same of a record that must be there; raises KeyError."""
        packed = self.packed(key)
        if packed is None:
            raise KeyError(key)
        return packed

    def __getitem__(self, key: str) -> RecordT:
        return self._unpack(self.packed_there(key))

    def __setitem__(self, key: str, record: RecordT) -> None:
        self.put_packed(key, self._pack(record))

    def put_packed(self, key: str, packed: bytes) -> None:
        """Puts a record that is packed already."""
        number = self._numbering.assign(key)
        missing = number + 1 - len(self._states)
        if missing > 0:
            self._states.extend(bytes(missing))
            self._row.extend(bytes(missing * self._usual))
        self._count += self._states[number] == _ABSENT
        if len(packed) == self._usual:
            self._row[number * self._usual : (number + 1) * self._usual] = packed
            self._states[number] = _IN_ROW
            self._aside.pop(number, None)
        else:
            self._aside[number] = packed
            self._states[number] = _ASIDE

    def __delitem__(self, key: str) -> None:
        number = self._numbering.numbers.get(key)
        if number is None or self._state(number) == _ABSENT:
            raise KeyError(key)
        self._states[number] = _ABSENT
        self._aside.pop(number, None)
        self._count -= 1

    def __contains__(self, key: object) -> bool:
        return self._state(self._numbering.numbers.get(key)) != _ABSENT  # pyright: ignore[reportArgumentType, reportCallIssue]

    def __iter__(self) -> Iterator[str]:
        return (key for key, number in self._numbering.numbers.items() if self._state(number) != _ABSENT)

    def __len__(self) -> int:
        return self._count

    def _state(self, number: int | None) -> int:
        return _ABSENT if number is None or number >= len(self._states) else self._states[number]


def pack_digest(digest: str) -> bytes:
    """A hexadecimal digest in half its length; any other text as it is, told apart by its first byte."""
    try:
        packed = bytes.fromhex(digest)
        if packed.hex() == digest and len(packed) < 0xFF:
            return bytes((len(packed),)) + packed
    except ValueError:
        pass
    text = digest.encode("utf-8", "surrogatepass")[:0xFFFF]
    return b"\xff" + len(text).to_bytes(2, "big") + text


def unpack_digest(packed: bytes, start: int) -> tuple[str, int]:
    """(digest, offset of what follows)."""
    end = digest_end(packed, start)
    if packed[start] != 0xFF:
        return packed[start + 1 : end].hex(), end
    return packed[start + 3 : end].decode("utf-8", "surrogatepass"), end


def digest_end(packed: bytes, start: int) -> int:
    """Where the packed digest that begins at `start` ends."""
    length = packed[start]
    return (
        start + 1 + length
        if length != 0xFF
        else start + 3 + int.from_bytes(packed[start + 1 : start + 3], "big")
    )

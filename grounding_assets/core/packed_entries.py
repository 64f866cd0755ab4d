"""A dictionary of a million small records in a tenth of the memory: each is kept as bytes.

An object with its strings and numbers costs 300 bytes or more, and there are two or three for every
sample; as bytes they cost 60. Records are packed when they are put in and made anew when asked for.
"""

from collections.abc import Callable, Iterator, MutableMapping
from typing import Generic, TypeVar

RecordT = TypeVar("RecordT")


class PackedEntries(MutableMapping[str, RecordT], Generic[RecordT]):
    """Records by id, in the order in which they were first put in."""

    def __init__(self, pack: Callable[[RecordT], bytes], unpack: Callable[[bytes], RecordT]):
        self._pack, self._unpack = pack, unpack
        self._packed: dict[str, bytes] = {}

    def packed(self, key: str) -> bytes | None:
        """The record as it is kept, to compare parts of it without making it anew."""
        return self._packed.get(key)

    def __getitem__(self, key: str) -> RecordT:
        return self._unpack(self._packed[key])

    def __setitem__(self, key: str, record: RecordT) -> None:
        self._packed[key] = self._pack(record)

    def __delitem__(self, key: str) -> None:
        del self._packed[key]

    def __contains__(self, key: object) -> bool:
        return key in self._packed

    def __iter__(self) -> Iterator[str]:
        return iter(self._packed)

    def __len__(self) -> int:
        return len(self._packed)


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
    length = packed[start]
    if length != 0xFF:
        end = start + 1 + length
        return packed[start + 1 : end].hex(), end
    end = start + 3 + int.from_bytes(packed[start + 1 : start + 3], "big")
    return packed[start + 3 : end].decode("utf-8", "surrogatepass"), end


def digest_end(packed: bytes, start: int) -> int:
    """Where the packed digest that begins at `start` ends."""
    length = packed[start]
    return (
        start + 1 + length
        if length != 0xFF
        else start + 3 + int.from_bytes(packed[start + 1 : start + 3], "big")
    )

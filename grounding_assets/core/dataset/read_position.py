"""How far a growing file has been read, and whether it is still the file that was read.

Not here: what the lines say (`input_file`) and which samples they are (`sample_ids`).
"""

import codecs
import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from grounding_assets.core.dataset.input_file import MAX_LINE_BYTES, LineError, open_input, parse_line

_DIGESTED_BYTES = 4096
_BLOCK_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class ReadPosition:
    """The end of what was read, in bytes, with what tells the file from another one."""

    offset: int
    inode: int
    digest: str
    """Of the first bytes of the file and of the last ones before `offset`."""

    @classmethod
    def at(cls, path: Path, offset: int) -> "ReadPosition":
        """`offset` must not lie beyond the end of the file."""
        with open_input(path) as stream:
            head = stream.read(min(offset, _DIGESTED_BYTES))
            stream.seek(max(0, offset - _DIGESTED_BYTES))
            tail = stream.read(min(offset, _DIGESTED_BYTES))
            inode = os.fstat(stream.fileno()).st_ino
        return cls(offset, inode, hashlib.blake2b(head + tail, digest_size=12).hexdigest())

    @classmethod
    def from_text(cls, text: str) -> "ReadPosition":
        """The inverse of `to_text`; raises ValueError, KeyError or TypeError."""
        tree = json.loads(text)
        return cls(int(tree["offset"]), int(tree["inode"]), str(tree["digest"]))

    def to_text(self) -> str:
        return json.dumps(asdict(self))

    def still_holds(self, path: Path) -> bool:
        """False if the file was replaced, cut, or changed before the position; then read it from the beginning.

        A change in the middle that moves nothing and keeps the inode goes unseen.
        """
        return path.stat().st_size >= self.offset and ReadPosition.at(path, self.offset) == self


def readable_ends(path: Path) -> tuple[int, int]:
    """Offsets up to which lines are terminated, and up to which the file can be read now.

    They differ if a last line without a newline is a whole record already: no beginning of a JSON
    object is one. Any other unterminated line is still being written, and is left.
    """
    with open_input(path) as stream:
        size = stream.seek(0, os.SEEK_END)
        start = _start_of_last_line(stream, size)
        if size - start > MAX_LINE_BYTES:
            return start, start
        stream.seek(start)
        rest = stream.read(size - start)
    try:
        parse_line(rest if start else rest.removeprefix(codecs.BOM_UTF8))
    except LineError:
        return start, start
    return start, size


def _start_of_last_line(stream: BinaryIO, size: int) -> int:
    end = size
    while end:
        start = max(0, end - _BLOCK_BYTES)
        stream.seek(start)
        newline = stream.read(end - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0

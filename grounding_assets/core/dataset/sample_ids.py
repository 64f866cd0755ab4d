"""Sample ids: partition key, checkpoint file name and prefix of every id in a record.

An id is given once and remembered, so that it does not move when lines are added, removed or
reordered. Injective, and unable to leave the checkpoint folder.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from grounding_assets.core.errors import InputError
from grounding_assets.core.files import write_lines

MAX_ID_CHARS = 120
_MAX_ID_BYTES = 200
_SHARD_DIGITS = 16
"""Of the digest in the ids of shards, which do not know each other's: two pairs never meet in 64 bits."""
_REFUSED_CHARS = re.compile(r'[/\\:*?"<>|]|\.{3,}')
_ORDINARY = re.compile(r"[A-Za-z0-9_-]{5,120}")
"""What most ids look like; longer than any refused name."""
_REFUSED_NAMES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


def pair_key(image_path: str, caption: str) -> str:
    """Digest of what makes a sample: the same pair is the same sample."""
    joined = f"{len(image_path)}:{image_path}{caption}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(joined, digest_size=16).hexdigest()


def safe_id(wanted: str) -> str:
    """`wanted` if it can be a partition key and a file name, else a readable form with a digest of it."""
    if _is_safe(wanted):
        return wanted
    readable = "".join(c if c.isprintable() else "_" for c in _REFUSED_CHARS.sub("_", wanted)).strip(". ")
    readable = readable[:60].encode("utf-8", "ignore")[:100].decode("utf-8", "ignore").strip(". ")
    safe = f"{readable or 'id'}~{_digest(wanted, 16)}"
    # `con.jpg` is refused with anything behind it
    return safe if _is_safe(safe) else f"_{safe}"


def _is_safe(text: str) -> bool:
    if _ORDINARY.fullmatch(text):
        return True
    return (
        0 < len(text) <= MAX_ID_CHARS
        and text.isprintable()
        and text == text.strip(". ")
        and len(text.encode("utf-8", "surrogatepass")) <= _MAX_ID_BYTES
        and not _REFUSED_CHARS.search(text)
        and not _REFUSED_NAMES.fullmatch(text)
    )


def _digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]


class SampleIds:
    """The ids of a results folder, kept in `samples.jsonl`."""

    def __init__(self, memory: Path, *, of_shard: bool = False):
        """`of_shard`: every id carries a digest of its pair, so that it is the same in whichever shard the pair stands."""
        self._memory, self._of_shard = memory, of_shard
        self._id_of_pair: dict[str, str] = {}
        self._taken: set[str] = set()
        self._changed = False
        self._load()

    def _load(self) -> None:
        try:
            with self._memory.open("rb") as lines:
                self._read(lines)
        except FileNotFoundError:
            return
        except OSError as error:
            raise InputError(f"Cannot read {self._memory}, which holds the sample ids: {error}.") from None

    def _read(self, lines: Iterable[bytes]) -> None:
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
                sample_id, pair = row["sample_id"], row["pair"]
            except (ValueError, KeyError, TypeError):
                raise InputError(
                    f"{self._memory}, line {number} is damaged. Restore the file, or delete it to give new "
                    "ids to samples that share an image_id."
                ) from None
            if not isinstance(sample_id, str) or safe_id(sample_id) != sample_id:
                raise InputError(
                    f"{self._memory}, line {number} holds an id that no run assigned: delete the line."
                )
            if _folded(sample_id) in self._taken and self._id_of_pair.get(pair) != sample_id:
                raise InputError(f"{self._memory}, line {number} assigns an id twice: delete the line.")
            self._remember(str(pair), sample_id)

    def _remember(self, pair: str, sample_id: str) -> None:
        self._id_of_pair[pair] = sample_id
        self._taken.add(_folded(sample_id))

    def assign(self, record: Mapping[str, Any]) -> str:
        """The id of a checked input record; the same (image_path, caption) always gets the same."""
        image_path, caption = record["image_path"], record["caption"]
        pair = pair_key(image_path, caption)
        known = self._id_of_pair.get(pair)
        if known is not None:
            return known
        base = safe_id(str(image_id_of(record)))
        if self._of_shard:
            base = safe_id(f"{base}~{pair[:_SHARD_DIGITS]}")
        sample_id, count = base, 0
        while _folded(sample_id) in self._taken:
            count += 1
            sample_id = safe_id(f"{base}~{pair[:8]}" + (f"-{count}" if count > 1 else ""))
        self._remember(pair, sample_id)
        self._changed = True
        return sample_id

    def save(self) -> None:
        """Writes the memory if it has changed."""
        if self._changed:
            rows = ({"sample_id": sample_id, "pair": pair} for pair, sample_id in self._id_of_pair.items())
            write_lines(self._memory, rows)
            self._changed = False


def image_id_of(record: Mapping[str, Any]) -> str | int:
    """The record's `image_id`, otherwise the file name's stem."""
    image_id = record.get("image_id")
    if image_id is not None and image_id != "":
        return image_id
    name = PurePosixPath(record["image_path"].replace("\\", "/")).name
    return name.rsplit(".", 1)[0] if "." in name.lstrip(".") else name


def _folded(sample_id: str) -> str:
    """What a file system that folds case or normalises Unicode would make of it (Unicode 3.13, D145)."""
    if sample_id.isascii():
        folded = sample_id.lower()
    else:
        folded = unicodedata.normalize("NFD", unicodedata.normalize("NFD", sample_id).casefold())
    # the same object if nothing changed: there are 100,000
    return sample_id if folded == sample_id else folded

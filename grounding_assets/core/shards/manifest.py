"""`shards.json`: what makes a results folder one of shards, which shards there are, and what each was cut from."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from grounding_assets.core.errors import InputError
from grounding_assets.core.files import to_json
from grounding_assets.core.spec.shards import FOLDER

MANIFEST = "shards.json"


@dataclass(frozen=True, slots=True)
class Slice:
    """The lines of one shard."""

    lines: int
    """Usable lines; those that are refused belong to no shard."""
    first_line: int
    """Number of its first line in the input, from 1."""
    sha256: str
    """Of the file that holds it."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """How a results folder is cut. The slice at place n is that of the shard with key `key_of(n)`."""

    shard_size: int
    """Lines of each shard but those that an end of the input left smaller."""
    slices: tuple[Slice, ...] = ()
    rejected: int = 0
    """Lines of the input that cannot be used."""
    repeated: int = 0
    """Lines whose sample stands in an earlier shard, too; each of the two is annotated."""

    @property
    def keys(self) -> list[str]:
        return [key_of(number) for number in range(len(self.slices))]

    @property
    def lines(self) -> int:
        return sum(one.lines for one in self.slices)

    def slice_of(self, key: str) -> Slice:
        """Raises InputError if there is no such shard."""
        number = int(key) if key.isdecimal() else -1
        if not 0 <= number < len(self.slices) or key != key_of(number):
            raise InputError(
                f"There is no shard '{key}'"
                + (f"; they are 00000 to {self.keys[-1]}." if self.slices else ": the input is not cut yet.")
            )
        return self.slices[number]

    def lines_of_run(self, limit: int, only: str = "") -> dict[str, int]:
        """How many of its first lines a run is about, by shard; shards that it is not about are left out.

        Args:
            limit: lines of the data set that it takes, from the first on; 0: all.
            only: the shard that it takes alone, of which `limit` counts then; empty: all.

        Raises:
            InputError: there is no shard `only`.
        """
        slices = {only: self.slice_of(only)} if only else dict(zip(self.keys, self.slices, strict=True))
        left = limit or sum(one.lines for one in slices.values())
        taken: dict[str, int] = {}
        for key, one in slices.items():
            if left > 0:
                taken[key] = min(left, one.lines)
                left -= one.lines
        return taken

    def to_bytes(self) -> bytes:
        return to_json({**asdict(self), "slices": [asdict(one) for one in self.slices]}) + b"\n"

    @classmethod
    def of_bytes(cls, content: bytes, where: str) -> "Manifest":
        """Raises InputError if it is damaged."""
        try:
            row: dict[str, Any] = json.loads(content)
            manifest = cls(**{**row, "slices": tuple(Slice(**one) for one in row["slices"])})
            if all(isinstance(size, int) for size in (manifest.shard_size, manifest.lines)):
                return manifest
        except (ValueError, TypeError, KeyError):
            pass
        raise InputError(
            f"{where} is damaged: put it back from a copy. Without it nobody knows which lines are in which shard."
        )


def key_of(number: int) -> str:
    """A shard's key: its number from 0 in five digits, `00042`, so that keys sort as shards do."""
    return f"{number:05d}"


def part_of(key: str, name: str) -> str:
    """Where a file of a shard lies below the results folder."""
    return f"{FOLDER}/{key}/{name}"


def data_set_folder(results_dir: Path) -> Path:
    """The results folder of the whole data set, which holds what its shards share; any other folder is its own."""
    root = results_dir.parent.parent
    return root if results_dir.parent.name == FOLDER and (root / MANIFEST).is_file() else results_dir


def is_shard(results_dir: Path) -> bool:
    return data_set_folder(results_dir) != results_dir

"""Where the shards of a data set live: the interface. `local` is a folder of this machine."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Protocol

from grounding_assets.core.errors import RunStopped
from grounding_assets.core.shards.manifest import Manifest

WORDS_FOR_TAKEN = "Shard {key} is being worked on by another run, which goes on; launch this one again if that run has ended."


class ShardTaken(RunStopped):
    """Another run holds the shard."""

    def __init__(self, key: str):
        super().__init__(WORDS_FOR_TAKEN.format(key=key))


class GrantList(Protocol):
    """The grants of a data set's budget by their names, where its runs have no account in common."""

    def read(self, name: str) -> bytes | None:
        """None if there is none yet."""
        ...

    def create(self, name: str, content: bytes) -> bool:
        """False if somebody else has taken the name."""
        ...


class Shards(Protocol):
    """A results folder of shards. Names are paths below it, such as `shards/00042/input.jsonl`."""

    where: str
    """What to call the results folder in messages."""

    looks_again: bool
    """Whether a shard that is complete is opened again, to see whether its images have changed."""

    @property
    def grants(self) -> GrantList | None:
        """None if all runs book in one account."""
        ...

    def manifest(self) -> Manifest | None:
        """None if the folder is not cut. Raises InputError if the manifest is damaged."""
        ...

    def keep(self, manifest: Manifest) -> None: ...

    def is_whole_data_set(self) -> bool:
        """Whether it holds results of a data set that is not cut."""
        ...

    def cutting(self) -> AbstractContextManager[None]:
        """Holds off others that cut."""
        ...

    def reading(self, name: str) -> AbstractContextManager[IO[bytes]] | None:
        """The content of a file; None if there is none."""
        ...

    def is_as_written(self, name: str, size: int, written_ns: int, sha256: str) -> bool:
        """Whether a file is still the one that had this size in bytes and time of change, or is a copy of it; a missing one has size 0."""
        ...

    def size(self, name: str) -> int:
        """Of a file in bytes; 0 if there is none."""
        ...

    def writing(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """A stream whose content becomes that of the file when the block ends without an error."""
        ...

    def join(self, name: str, parts: Sequence[str]) -> None:
        """Makes the file of the parts that are there, one after another."""
        ...

    def is_held(self, key: str) -> bool:
        """Whether another run is known to work on the shard; asked before a run is begun that would fail for it."""
        ...

    def claimed(self, key: str) -> AbstractContextManager[None]:
        """The shard is this run's within the block. Raises ShardTaken if it is another's that goes on."""
        ...

    def opened(self, key: str) -> AbstractContextManager[Path]:
        """The shard's results folder on this machine, with its input; what is made in it is kept however the block ends."""
        ...

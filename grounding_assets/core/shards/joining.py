"""The shards' `annotations.jsonl` and `failures.jsonl` as one file each, in the order of the input."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from grounding_assets.core.errors import InputError
from grounding_assets.core.files import to_json
from grounding_assets.core.shards.manifest import Manifest, part_of
from grounding_assets.core.shards.place import Shards
from grounding_assets.core.shards.status import STATUS, ShardStatus, added_up
from grounding_assets.core.steps import Step

JOINED = ("annotations.jsonl", "failures.jsonl")
_OF = "joined.json"
"""In the results folder: which state of the shards its joined files are of."""
_NAMED = 5
"""Shards that a message names."""


@dataclass(frozen=True)
class Joined:
    """What the joined files are made of."""

    shards: int
    incomplete: tuple[str, ...]
    """Keys of shards that lack a result of some sample."""
    total: ShardStatus

    def missing_words(self) -> str:
        """What lacks, and what to do; empty if nothing does."""
        if not self.incomplete:
            return ""
        named = ", ".join(self.incomplete[:_NAMED]) + (", …" if len(self.incomplete) > _NAMED else "")
        why = ", ".join(f"{count:,} {reason}" for reason, count in self.total.by_reason.most_common())
        failed = f"{self.total.failed:,} samples failed ({why})" if self.total.failed else "no sample failed"
        first = f" The first: {'; '.join(self.total.first_failures)}" if self.total.first_failures else ""
        return (
            f"{len(self.incomplete):,} of {self.shards:,} shards are not complete ({named}): {failed}, "
            f"{self.total.pending:,} are pending. Launch `annotated_shard` for failed and missing partitions, or run "
            f"`auto_label generate` again.{first}"
        )


def status_of(shards: Shards, key: str) -> ShardStatus | None:
    """What the last run of the shard left; None if there was none."""
    content = shards.reading(part_of(key, STATUS))
    if content is None:
        return None
    with content as stream:
        return ShardStatus.of_bytes(stream.read())


def current_status(shards: Shards, manifest: Manifest, key: str, steps: Sequence[Step]) -> ShardStatus:
    """The same of the slice as it is now and of these steps; all is pending where there is no such status."""
    known, status = manifest.slice_of(key), status_of(shards, key)
    if status is not None and status.holds_for(steps, known.sha256):
        return status
    untouched = ShardStatus(samples=known.lines, pending=known.lines)
    return replace(untouched, lines=replace(untouched.lines, read=known.lines, pending=known.lines))


def is_as_written(shards: Shards, key: str, status: ShardStatus) -> bool:
    """Whether nobody has changed the shard's annotations since the run that left this status."""
    return shards.is_as_written(part_of(key, JOINED[0]), status.size, status.written_ns, status.digest)


def join_shards(shards: Shards, manifest: Manifest, steps: Sequence[Step]) -> Joined:
    """Joins what is there, a part after another in a stream.

    Raises:
        InputError: a shard's file is not what its run wrote.
        RunStopped: a file cannot be written.
    """
    # first: a shard that is run again meanwhile makes it another one
    state = _state(shards, manifest)
    statuses = {key: current_status(shards, manifest, key, steps) for key in manifest.keys}
    # parts of another slice or of other steps are no part of this output
    there = [key for key, status in statuses.items() if status.sha256]
    for key in there:
        if not is_as_written(shards, key, statuses[key]):
            raise InputError(
                f"{shards.where}/{part_of(key, JOINED[0])} is not what its run wrote: run `auto_label generate`, or "
                f"launch `annotated_shard` again for shard {key}; neither asks for what was answered."
            )
    for name in JOINED:
        shards.join(name, [part_of(key, name) for key in there])
    total = added_up(statuses.values())
    refused = replace(ShardStatus().lines, read=manifest.rejected, rejected=manifest.rejected)
    with shards.writing(_OF) as stream:
        stream.write(to_json({"of": state}) + b"\n")
    incomplete = tuple(key for key, status in statuses.items() if not status.is_complete)
    return Joined(len(statuses), incomplete, replace(total, lines=total.lines + refused))


def read_as_whole(shards: Shards, manifest: Manifest, steps: Sequence[Step]) -> str:
    """Makes sure that the joined files are of the shards as they are now.

    Returns what lacks in them, in a sentence; empty if every sample has a result.

    Raises:
        InputError: they are older than a shard's results, were never made, or are not whole.
    """
    content = shards.reading(_OF)
    joined_of = b""
    if content is not None:
        with content as stream:
            joined_of = stream.read()
    statuses = {key: current_status(shards, manifest, key, steps) for key in manifest.keys}
    as_written = all(is_as_written(shards, key, status) for key, status in statuses.items() if status.sha256)
    total = added_up(statuses.values())
    is_current = joined_of == to_json({"of": _state(shards, manifest)}) + b"\n"
    if not as_written or not is_current or shards.size(JOINED[0]) != total.size:
        raise InputError(
            f"{shards.where}/{JOINED[0]} is not joined of the shards as they are now: run `auto_label generate`, or materialize "
            "`annotations`; or name one shard, such as data.shard=00000."
        )
    return _lacking_words(total)


def read_as_part(shards: Shards, manifest: Manifest, steps: Sequence[Step], key: str) -> str:
    """The same of one shard's own files.

    Raises:
        InputError: they are not what its run wrote, or there is no such shard.
    """
    status = current_status(shards, manifest, key, steps)
    if not status.sha256 or not is_as_written(shards, key, status):
        raise InputError(
            f"{shards.where}/{part_of(key, JOINED[0])} is not there as a run with these steps wrote it: run `auto_label generate` with "
            f"data.shard={key}; it asks for nothing that was answered."
        )
    return _lacking_words(status)


def _lacking_words(status: ShardStatus) -> str:
    if status.is_complete:
        return ""
    return f"{status.done:,} of {status.samples:,} samples have a result; {status.failed:,} failed, and {status.pending:,} are pending."


def _state(shards: Shards, manifest: Manifest) -> str:
    """Another one if the input was cut further, or a shard was run again."""
    digest = hashlib.sha256(manifest.to_bytes())
    for key in manifest.keys:
        content = shards.reading(part_of(key, STATUS))
        if content is not None:
            with content as stream:
                digest.update(key.encode() + stream.read())
    return digest.hexdigest()

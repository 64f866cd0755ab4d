"""The input, cut into shards: read in one pass, each slice stored once and never changed after that.

Lines that are added at the end of the input make new shards. A line that was cut stays as it was: if it is another one
in the input now, cutting stops and says which. A slice that is missing is stored again.
"""

import hashlib
from array import array
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from itertools import chain, islice
from pathlib import Path

import numpy as np

from grounding_assets.core.dataset.input_file import InputLine, UsableLines
from grounding_assets.core.dataset.sample_ids import pair_key
from grounding_assets.core.errors import InputError
from grounding_assets.core.shards.manifest import Manifest, Slice, key_of, part_of
from grounding_assets.core.shards.place import Shards
from grounding_assets.core.spec.shards import SLICE

_PART_BITS = 4


def cut_input(input_file: Path, shard_size: int, shards: Shards) -> Manifest:
    """Cuts what of the input is not cut yet, and lists refused lines in `rejected.jsonl`.

    Memory: one line, and some 12 bytes for each line of the input.

    Raises:
        InputError: the input cannot be read, holds no usable line, or is not what the shards were cut from.
        RunStopped: a slice cannot be written.
    """
    with shards.cutting():
        before = shards.manifest() or Manifest(shard_size)
        pairs = array("Q")
        with shards.writing("rejected.jsonl") as rejected:
            usable = UsableLines(input_file, rejected)
            lines = _noting_pairs(usable, pairs)
            slices = [
                _as_it_was_cut(lines, input_file, known, key, shards)
                for key, known in zip(before.keys, before.slices, strict=True)
            ]
            while added := _cut_next(lines, before.shard_size, key_of(len(slices)), shards):
                slices.append(added)
        if not slices:
            raise usable.nothing_usable()
        repeated = _repeated_in_other_shards(pairs, [one.lines for one in slices])
        manifest = Manifest(before.shard_size, tuple(slices), usable.rejected, repeated)
        if manifest != shards.manifest():
            shards.keep(manifest)
    return manifest


def _noting_pairs(lines: Iterable[InputLine], pairs: "array[int]") -> Iterator[InputLine]:
    """The same lines; `pairs` gets half of the digest of each one's image path and caption."""
    for line in lines:
        pairs.append(int(pair_key(line.record["image_path"], line.record["caption"])[:16], 16))
        yield line


def _cut_next(lines: Iterator[InputLine], shard_size: int, key: str, shards: Shards) -> Slice | None:
    first = next(lines, None)
    if first is None:
        return None
    digest, count = hashlib.sha256(), 0
    with shards.writing(part_of(key, SLICE)) as stream:
        for line in chain((first,), islice(lines, shard_size - 1)):
            stored = line.raw + b"\n"
            stream.write(stored)
            digest.update(stored)
            count += 1
    return Slice(count, first.number, digest.hexdigest())


def _as_it_was_cut(
    lines: Iterator[InputLine], input_file: Path, known: Slice, key: str, shards: Shards
) -> Slice:
    """The slice, made sure that the input still holds its lines, or that somebody changed both alike."""
    name = part_of(key, SLICE)
    lost = not shards.size(name)
    digest, count, first_line = hashlib.sha256(), 0, known.first_line
    with shards.writing(name) if lost else nullcontext() as stream:
        while count < known.lines:
            line = next(lines, None)
            if line is None:
                raise InputError(
                    f"{input_file} lacks lines that were cut into shard {key}: lines may be added at its end, and not "
                    "be removed. Put them back, or take another results_dir."
                )
            first_line = line.number if count == 0 else first_line
            stored = line.raw + b"\n"
            if stream is not None:
                stream.write(stored)
            digest.update(stored)
            count += 1
        if digest.hexdigest() == known.sha256:
            return Slice(count, first_line, known.sha256)
        if lost:
            # raised within the block, which then stores nothing
            raise InputError(
                f"{shards.where}/{name} is missing, and its {count:,} lines from line {first_line} of {input_file} on are "
                "not what was cut: put back the file, or the lines as they were."
            )
    changed = _first_difference(input_file, first_line, key, shards)
    if changed is not None:
        raise InputError(
            f"Line {changed} of {input_file} is not what it was when it was cut into shard {key}: lines may be added at "
            f"the end, and not be changed. Put the old line back; or change it in {shards.where}/{name} as "
            "well, and run again to annotate it; or take another results_dir."
        )
    return Slice(count, first_line, digest.hexdigest())


def _first_difference(input_file: Path, first_line: int, key: str, shards: Shards) -> int | None:
    """Number of the first line of the input that the shard's slice does not hold in its place; None: it holds all."""
    usable = (line for line in UsableLines(input_file) if line.number >= first_line)
    content = shards.reading(part_of(key, SLICE))
    if content is None:
        return first_line
    with content as stream:
        for stored, line in zip(stream, usable, strict=False):
            if stored.rstrip(b"\n") != line.raw:
                return line.number
    return None


def _repeated_in_other_shards(pairs: "array[int]", sizes: list[int]) -> int:
    """How many lines have the image path and the caption of a line in an earlier shard."""
    digests = np.frombuffer(pairs, dtype=np.uint64)
    ends, repeated = np.cumsum(sizes), 0
    for part in range(1 << _PART_BITS):
        # a part at a time, so that what is sorted is small beside the digests themselves
        places = np.flatnonzero(digests >> np.uint64(64 - _PART_BITS) == part)
        order = places[np.argsort(digests[places], kind="stable")]
        shard_of = np.searchsorted(ends, order, side="right")
        same = digests[order][1:] == digests[order][:-1]
        repeated += int(np.count_nonzero(same & (shard_of[1:] != shard_of[:-1])))
    return repeated

"""1,000,000 lines in shards on a disk: cut, counted and joined. Time, and memory of each part's own process.

    python -m bench.million [--lines 1000000] [--shard-size 10000]

Nothing is annotated: the results of each shard are made by a stand-in that writes the lines and the status that a run
would leave.
"""

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from grounding_assets.core.shards.cutting import cut_input
from grounding_assets.core.shards.joining import join_shards, read_as_whole
from grounding_assets.core.shards.local import LocalShards
from grounding_assets.core.shards.manifest import Manifest, part_of
from grounding_assets.core.shards.status import STATUS, ShardStatus
from grounding_assets.core.steps import Step

STEPS = (Step.EXTRACTION, Step.GROUNDING)
RESULT = "x" * 1200
"""About what a record with three expressions holds beside its input."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--shard-size", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        write_input(folder, options.lines)
        print("| part | s | peak memory, MB |\n|---|---|---|")
        for name, part in (
            ("cutting", _cut),
            ("cutting again, nothing new", _cut),
            ("results by the stand-in", annotate_by_stand_in),
            ("joining annotations.jsonl", _join),
            ("is the joined file current?", _read),
        ):
            _measured(name, part, folder, options.shard_size)
        size = (folder / "results" / "annotations.jsonl").stat().st_size
        print(f"\nannotations.jsonl: {size / 1e9:.2f} GB")


def _measured(name: str, part: Callable[[Path, int], None], *arguments: object) -> None:
    begun = time.perf_counter()
    process = multiprocessing.get_context("spawn").Process(target=_in_child, args=(name, part, *arguments))
    process.start()
    process.join()
    assert process.exitcode == 0, f"{name} failed after {time.perf_counter() - begun:.0f} s"


def _in_child(name: str, part: Callable[..., None], *arguments: object) -> None:
    begun = time.perf_counter()
    part(*arguments)
    took = time.perf_counter() - begun
    print(
        f"| {name} | {took:.1f} | {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} |",
        flush=True,
    )


def write_input(folder: Path, lines: int) -> None:
    with (folder / "in.jsonl").open("w", encoding="utf-8") as stream:
        for number in range(lines):
            row = {
                "image_path": f"photos/{number:07d}.jpg",
                "caption": f"photo {number} of a red car beside a tree",
            }
            stream.write(json.dumps(row) + "\n")


def _cut(folder: Path, shard_size: int) -> None:
    cut_input(folder / "in.jsonl", shard_size, LocalShards(folder / "results"))


def _manifest(folder: Path) -> tuple[LocalShards, Manifest]:
    shards = LocalShards(folder / "results")
    manifest = shards.manifest()
    assert manifest is not None
    return shards, manifest


def annotate_by_stand_in(folder: Path, shard_size: int) -> None:
    shards, manifest = _manifest(folder)
    for key in manifest.keys:
        known, name = manifest.slice_of(key), part_of(key, "annotations.jsonl")
        with (
            (folder / "results" / part_of(key, "input.jsonl")).open("rb") as lines,
            shards.writing(name) as stream,
        ):
            for line in lines:
                stream.write(json.dumps({**json.loads(line), "result": RESULT}).encode() + b"\n")
        written = (folder / "results" / name).stat()
        status = ShardStatus(
            steps=tuple(map(str, STEPS)),
            sha256=known.sha256,
            samples=known.lines,
            done=known.lines,
            size=written.st_size,
            written_ns=written.st_mtime_ns,
        )
        with shards.writing(part_of(key, STATUS)) as stream:
            stream.write(json.dumps(status.to_dict()).encode())


def _join(folder: Path, shard_size: int) -> None:
    shards, manifest = _manifest(folder)
    assert not join_shards(shards, manifest, STEPS).incomplete


def _read(folder: Path, shard_size: int) -> None:
    shards, manifest = _manifest(folder)
    assert read_as_whole(shards, manifest, STEPS) == ""


if __name__ == "__main__":
    main()

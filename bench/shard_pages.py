"""The pages of a data set in shards in Dagster's web UI: how long the first opening takes, and the web server's memory.

    python -m bench.shard_pages [--lines 100000] [--shard-size 1000]

Shards are annotated by the stand-in of `bench.million`, and Dagster is told of each as of a finished run; the last one is
run as ever, and fails, since no picture is there. What the pages show of a shard does not depend on its lines.
"""

import argparse
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import dagster as dg

from bench.million import STEPS, annotate_by_stand_in, write_input
from grounding_assets.cli.instance import persistent_instance
from grounding_assets.cli.materializing import Graph
from grounding_assets.core.annotation.progress import NoProgress
from grounding_assets.core.shards.joining import current_status
from grounding_assets.core.shards.local import LocalShards
from grounding_assets.core.spec.loading import load_spec
from resources.credentials import Credentials
from tests.doors.project import Project
from tests.report.browser import opened_browser
from tests.storages import write_instance_file
from tests.ui.dagster_dev import DagsterDev, running_dagster
from tests.ui.pages import DagsterPages

_SPEC = """
results_dir: results
image_grounding:
  vlm: {{backend: local}}
  data: {{name: bench, input_jsonl: in.jsonl, shard_size: {shard_size}}}
"""
_CALLS, _TOKENS, _COST = 2, 1_000, 0.0004
"""Of a sample, by the stand-in."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--shard-size", type=int, default=1_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        os.chdir(folder)
        os.environ["DAGSTER_HOME"] = str(folder)
        write_instance_file(folder)
        write_input(folder, options.lines)
        (folder / "spec.yaml").write_text(_SPEC.format(shard_size=options.shard_size), encoding="utf-8")
        shards = _fill(folder, options.shard_size)
        with running_dagster(Project(folder), "bench") as dev, opened_browser() as browser:
            _look(DagsterPages(browser, dev), dev, shards)


def _fill(folder: Path, shard_size: int) -> int:
    """Leaves all shards but the last materialized, and that failed; returns how many there are."""
    spec = load_spec(folder / "spec.yaml")
    graph, shards = Graph(spec, Credentials(), NoProgress()), LocalShards(folder / "results")
    with persistent_instance() as instance:
        graph.materialize(instance, ["samples"])
        annotate_by_stand_in(folder, shard_size)
        manifest = shards.manifest()
        assert manifest is not None
        *done, last = manifest.keys
        for key in done:
            status = current_status(shards, manifest, key, STEPS)
            calls = _CALLS * status.samples
            taken = replace(status, calls=calls, tokens_in=calls * _TOKENS, cost=status.samples * _COST)
            instance.report_runless_asset_event(
                dg.AssetMaterialization(
                    graph.keys.asset("annotated_shard"),
                    partition=graph.keys.partition_of(key),
                    metadata=taken.figures(),
                )
            )
        (folder / "results" / "shards" / last / "shard.json").unlink()
        try:
            graph.materialize(instance, ["annotated_shard"], partition_key=graph.keys.partition_of(last))
        except dg.Failure as failure:
            print(f"the last shard: {failure.description}"[:120])
    return len(manifest.keys)


def _look(pages: DagsterPages, dev: DagsterDev, shards: int) -> None:
    before, taken = _web_server_mb(), []
    for _ in range(3):
        begun = time.monotonic()
        pages.open(
            "/assets/bench/annotated_shard?view=partitions", f"Materialized ({shards - 1:,}", "Failed (1)"
        )
        taken.append(f"{time.monotonic() - begun:.1f}")
    print(f"{shards:,} shards: the partitions of annotated_shard, three openings: {', '.join(taken)} s")
    print(f"web server: {before} MB before, {_web_server_mb()} MB after")
    print(pages.shoot(f"shards-{shards}"))
    for name, key, words in (("done", 0, "cost"), ("failed", shards - 1, "Failed")):
        pages.open(f"/assets/bench/annotated_shard?view=partitions&partition=bench-{key:05d}", words)
        print(pages.shoot(f"shards-{shards}-{name}"))
    print(dev.partition_counts("annotated_shard"))


def _web_server_mb() -> int:
    """Resident memory of Dagster's web server, in MB."""
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            command = (status.parent / "cmdline").read_bytes()
            home = (status.parent / "cwd").resolve()
            if b"dagster_webserver" in command and home == Path.cwd():
                return next(
                    int(line.split()[1]) // 1024
                    for line in status.read_text().splitlines()
                    if line.startswith("VmRSS")
                )
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return 0


if __name__ == "__main__":
    main()

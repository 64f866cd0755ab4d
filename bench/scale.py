"""Registering, rolling up, and resuming with nothing to do, at 1k, 10k and 100k samples.

The results are fabricated with the project's own checkpoint store, so that only these three are
measured. Run: `python -m bench.scale [N …]`. Each figure is a whole `auto_label generate` process;
"start-up" is the same process with one sample.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image

from bench.command import generate
from grounding_assets.core.dataset.sample_ids import SampleIds
from grounding_assets.core.dataset.samples import SampleIndex
from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.records import Expression, GroundingStatus, Instance
from grounding_assets.core.steps import Step
from grounding_assets.core.store.checkpoint import Checkpoint
from grounding_assets.core.store.fingerprint import grounding_fingerprint

PROJECT = Path(__file__).resolve().parent.parent
PROVENANCE = {
    "backend": "local",
    "model": "fabricated",
    "calls": 1,
    "tokens_in": 900,
    "tokens_out": 60,
    "seconds": 0.5,
}


def fabricate(folder: Path, count: int) -> None:
    """A data set of `count` samples that are done, as if an earlier run had made them."""
    shutil.copy(PROJECT / "dagster.yaml", folder)
    Image.new("RGB", (640, 480), "white").save(folder / "photo.jpg")
    (folder / "spec.yaml").write_text(
        "results_dir: results\n"
        "image_grounding: {vlm: {backend: local}, data: {input_jsonl: input.jsonl, name: scale}}\n"
    )
    with (folder / "input.jsonl").open("w", encoding="utf-8") as lines:
        for i in range(count):
            row = {
                "image_id": f"s{i:06d}",
                "image_path": "photo.jpg",
                "caption": f"A red car, number {i}, by a tree.",
            }
            lines.write(json.dumps(row) + "\n")
    results = folder / "results"
    samples = SampleIndex.build(folder / "input.jsonl", SampleIds(results / "samples.jsonl"))
    workspace = Workspace(samples, results, folder)
    for step in (Step.EXTRACTION, Step.GROUNDING):
        workspace.step(step).store.prepare()
    for sample_id in samples.ids:
        sample = samples.read(sample_id)
        plain = (
            Expression("A red car", (0, 9), "car"),
            Expression("a tree", sample_span(sample.caption), "tree"),
        )
        output = grounding_fingerprint(sample, sample.caption, plain)
        boxed = tuple(
            Expression(e.text, e.char_span, e.noun_chunk, "exact", (Instance((10, 20, 300, 400), 0.9, "default"),),
                       GroundingStatus.BOXED)
            for e in plain
        )  # fmt: skip
        fingerprint = samples.entries[sample_id].fingerprint
        for step, given, made, expressions in (
            (Step.EXTRACTION, fingerprint, output, plain),
            (Step.GROUNDING, output, "", boxed),
        ):
            checkpoint = Checkpoint(
                sample_id,
                given,
                made,
                "settings",
                sample.caption,
                expressions,
                (640, 480),
                PROVENANCE,
                ("{}",),
            )
            # not CheckpointStore.save: making 200,000 files durable one by one is not what is measured
            path = workspace.step(step).store.path(sample_id)
            path.write_text(json.dumps(checkpoint.to_json()), encoding="utf-8")


def sample_span(caption: str) -> tuple[int, int]:
    start = caption.index("a tree")
    return start, start + len("a tree")


def main() -> None:
    counts = [int(text) for text in sys.argv[1:]] or [1_000, 10_000, 100_000]
    print(
        f"{'samples':>8} {'register, report, roll up':>26} {'nothing to do':>14} {'after start-up':>15} {'peak MB':>8}"
    )
    startup = 0.0
    for count in [1, *counts]:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            fabricate(folder, count)
            first, again = generate(folder).checked(), generate(folder).checked()
        if count == 1:
            startup = again.seconds
        print(
            f"{count:>8} {first.seconds:>24.1f} s {again.seconds:>12.1f} s {again.seconds - startup:>13.1f} s "
            f"{max(first.peak_mb, again.peak_mb):>8.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()

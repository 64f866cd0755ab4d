"""Throughput of the whole pipeline, Dagster included, against a simulated endpoint in its own process.

    python -m bench.throughput [quick]

The endpoint (`tests/endpoints`, cheap mode) simulates nothing but latency: it answers every request with one constant
box per expression. Each row is one `auto_label generate` process over fresh results; CPU and the rate of the whole command
include start-up, rollups and the report.
"""

import json
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
from PIL import Image

from bench.command import Ended, cpu_of_s, generate
from tests.endpoints.process import launched

PROJECT = Path(__file__).resolve().parent.parent
CALLS_PER_SAMPLE = 2
IMAGES = 20


@dataclass(frozen=True)
class Setting:
    workers: int
    latency_s: float
    samples: int
    p95_s: float | None = None

    @property
    def label(self) -> str:
        spread = "" if self.p95_s is None else f", p95 {self.p95_s:g} s"
        return f"{self.workers} workers, {self.latency_s:g} s a call{spread}"


AT_64, AT_256 = Setting(64, 0.5, 2000), Setting(256, 0.5, 5000)
SETTINGS = (
    Setting(4, 0.5, 160),
    AT_64,
    AT_256,
    Setting(256, 0.02, 5000),
    Setting(256, 1.5, 4000, p95_s=4.0),
)
QUICK = (Setting(64, 0.5, 1000), Setting(256, 0.02, 1500))
HEADER = (
    "| setting | samples | while annotating, samples/s | share of ideal | whole command, samples/s | CPU ms/sample | peak MB | "
    "start-up and rollup s | cores busy with other work |\n|---|---|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True)
class Row:
    """What one setting took. Rates are samples a second."""

    setting: Setting
    rate: float
    """While annotating, as the run itself reports it."""
    latency_s: float
    annotating_s: float
    ended: Ended
    others: float
    """Cores that were busy with neither the command nor the endpoint, on average."""

    @property
    def share_of_ideal(self) -> float:
        """Of the rate at which nothing but the endpoint's latency counts."""
        return self.rate * CALLS_PER_SAMPLE * self.latency_s / self.setting.workers

    @property
    def whole_rate(self) -> float:
        return self.setting.samples / self.ended.seconds

    @property
    def cpu_ms(self) -> float:
        """CPU a sample, of the whole command."""
        return 1e3 * self.ended.cpu_s / self.setting.samples

    def shown(self) -> str:
        return (
            f"| {self.setting.label} | {self.setting.samples} | {self.rate:.1f} | {self.share_of_ideal:.3f} | {self.whole_rate:.1f} | "
            f"{self.cpu_ms:.1f} | {self.ended.peak_mb:.0f} | {self.ended.seconds - self.annotating_s:.1f} | {self.others:.2f} |"
        )


def write_images(folder: Path) -> None:
    """640 x 480 JPEGs of about 190 kB, made of noise over a smooth picture."""
    rng = np.random.default_rng(0)
    for i in range(IMAGES):
        smooth = Image.fromarray(rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)).resize((640, 480))
        noisy = np.asarray(smooth).astype(np.int16) + rng.integers(-32, 32, (480, 640, 3))
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / f"{i}.jpg", quality=91)


def write_project(folder: Path, endpoint: str, samples: int) -> None:
    folder.mkdir(exist_ok=True)
    if not (folder / "dagster.yaml").exists():
        shutil.copy(PROJECT / "dagster.yaml", folder)
    vlm = {
        "backend": "openai",
        "measure": False,
        "openai": {"base_url": endpoint, "model_name": "Qwen/Qwen3-VL-8B-Instruct"},
    }
    spec = {
        "results_dir": "results",
        "image_grounding": {"vlm": vlm, "data": {"input_jsonl": "input.jsonl", "name": "bench"}},
    }
    (folder / "spec.yaml").write_text(json.dumps(spec))
    with (folder / "input.jsonl").open("w") as lines:
        for i in range(samples):
            row = {
                "image_id": f"s{i:06d}",
                "image_path": f"{i % IMAGES}.jpg",
                "caption": f"A red car, number {i}, is parked beside a tree.",
            }
            lines.write(json.dumps(row) + "\n")


def figures(folder: Path) -> dict[str, Any]:
    """What the run reported to Dagster."""
    os.environ["DAGSTER_HOME"] = str(folder)
    with dg.DagsterInstance.get() as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(["bench", "annotation_run"]))
    del os.environ["DAGSTER_HOME"]
    assert event is not None
    assert event.asset_materialization is not None
    return {name: value.value for name, value in event.asset_materialization.metadata.items()}


def measure(setting: Setting, folder: Path) -> Row:
    """A `dagster.yaml` that is in the folder already is used."""
    folder.mkdir(exist_ok=True)
    options = ["--latency", str(setting.latency_s), *(["--p95", str(setting.p95_s)] if setting.p95_s else [])]
    with launched("vllm", "--cheap", "--keep-requests", "1", *options) as endpoint:
        write_images(folder)
        write_project(folder, endpoint.base_url, setting.samples)
        before = cpu_of_s(endpoint.pid)
        ended = generate(folder, f"image_grounding.workflow.max_workers={setting.workers}").checked()
        endpoint_cpu_s = cpu_of_s(endpoint.pid) - before
    ran = figures(folder)
    return Row(
        setting,
        rate=float(ran["samples_per_second"]),
        latency_s=setting.latency_s if setting.p95_s is None else float(ran["mean_latency_seconds"]),
        annotating_s=float(ran["seconds"]),
        ended=ended,
        others=(ended.others_cpu_s - endpoint_cpu_s) / ended.seconds,
    )


def machine() -> str:
    """What was measured on, and how busy it was."""
    return (
        f"{time.strftime('%Y-%m-%d %H:%M')}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
        f"Python {sys.version.split()[0]}"
    )


def main() -> None:
    print(machine())
    print(HEADER)
    with tempfile.TemporaryDirectory() as temporary:
        # not deleted in between: ext4 looks for a new file's inode among all that were deleted just before
        for number, setting in enumerate(QUICK if sys.argv[1:] == ["quick"] else SETTINGS):
            print(measure(setting, Path(temporary) / str(number)).shown(), flush=True)


if __name__ == "__main__":
    main()

"""Throughput of the whole pipeline, Dagster included, against a simulated endpoint in its own process.

Run: `make bench`, or `python -m bench.throughput [quick]`. The endpoint (`tests/endpoints`, cheap mode) simulates nothing
but latency: it answers every request with one constant box per expression. Each row is one `auto_label
generate` process over fresh results; start-up is a run with nothing to do and is taken off time and CPU.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
from PIL import Image

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


SETTINGS = (
    Setting(4, 0.5, 160),
    Setting(64, 0.5, 2000),
    Setting(256, 0.5, 5000),
    Setting(256, 0.02, 5000),
    Setting(256, 1.5, 4000, p95_s=4.0),
)
QUICK = (Setting(64, 0.5, 1000), Setting(256, 0.02, 1500))


def write_images(folder: Path) -> None:
    """640 x 480 JPEGs of about 190 kB, made of noise over a smooth picture."""
    rng = np.random.default_rng(0)
    for i in range(IMAGES):
        smooth = Image.fromarray(rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)).resize((640, 480))
        noisy = np.asarray(smooth).astype(np.int16) + rng.integers(-32, 32, (480, 640, 3))
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / f"{i}.jpg", quality=91)


def write_project(folder: Path, endpoint: str, samples: int) -> None:
    folder.mkdir(exist_ok=True)
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


def generate(folder: Path, *overrides: str) -> tuple[float, float, float]:
    """(seconds, CPU seconds, peak MB) of one process."""
    command = [sys.executable, "-m", "grounding_assets.cli", "generate", "-e", "spec.yaml", *overrides]
    begun = time.monotonic()
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(output)
    return time.monotonic() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def figures(folder: Path) -> dict[str, Any]:
    """What the run reported to Dagster."""
    os.environ["DAGSTER_HOME"] = str(folder)
    with dg.DagsterInstance.get() as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(["bench", "annotation_run"]))
    del os.environ["DAGSTER_HOME"]
    assert event is not None
    assert event.asset_materialization is not None
    return {name: value.value for name, value in event.asset_materialization.metadata.items()}


def measure(setting: Setting, folder: Path) -> None:
    folder.mkdir()
    options = ["--latency", str(setting.latency_s), *(["--p95", str(setting.p95_s)] if setting.p95_s else [])]
    with launched("vllm", "--cheap", "--keep-requests", "1", *options) as endpoint:
        write_images(folder)
        write_project(folder, endpoint.base_url, setting.samples)
        seconds, cpu, peak = generate(folder, f"image_grounding.workflow.max_workers={setting.workers}")
        ran = figures(folder)
        _, startup_cpu, _ = generate(folder)
    latency = setting.latency_s if setting.p95_s is None else float(ran["mean_latency_seconds"])
    ideal = setting.workers / (CALLS_PER_SAMPLE * latency)
    rate = float(ran["samples_per_second"])
    cpu_ms = (cpu - startup_cpu) / setting.samples * 1000
    print(
        f"| {setting.label} | {setting.samples} | {rate:.1f} | {ideal:.1f} | {rate / ideal:.3f} | {cpu_ms:.1f} | "
        f"{peak:.0f} | {seconds - float(ran['seconds']):.1f} |",
        flush=True,
    )


def main() -> None:
    print(
        f"{time.strftime('%Y-%m-%d %H:%M')}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}"
    )
    print(
        "| setting | samples | samples/s | ideal | efficiency | CPU ms/sample | peak MB | start-up and rollup s |"
    )
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        # not deleted in between: ext4 looks for a new file's inode among all that were deleted just before
        for number, setting in enumerate(QUICK if sys.argv[1:] == ["quick"] else SETTINGS):
            measure(setting, Path(temporary) / str(number))


if __name__ == "__main__":
    main()

"""A project folder of its own for a test: its instance, its data set, and the ways into it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from tests.corpus import CORPUS, absent, coco24_gold
from tests.endpoints.faults import Fault, Faults, Rule
from tests.endpoints.server import SimulatedEndpoint
from tests.forked import Forked
from tests.storages import write_instance_file

BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Project:
    """A folder with a `dagster.yaml` like the repository's and a spec."""

    folder: Path

    @property
    def spec(self) -> Path:
        return self.folder / "spec.yaml"

    @property
    def results(self) -> Path:
        return self.folder / "results"

    @property
    def environment(self) -> dict[str, str]:
        kept = {
            k: v
            for k, v in os.environ.items()
            if k not in ("GOOGLE_API_KEY", "OPENAI_API_KEY", "DAGSTER_HOME")
        }
        return {**kept, "GROUNDING_SPEC": str(self.spec)}

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs a console script of the virtual environment in this folder."""
        return subprocess.run(
            [str(BIN / command[0]), *command[1:]],
            cwd=self.folder,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def auto_label(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs the command in this folder, forked from a process that has imported it."""
        with (
            TemporaryDirectory() as outputs,
            Forked(
                self.folder, {**self.environment, **environment}, *arguments, outputs=Path(outputs)
            ) as forked,
        ):
            ended = forked.ended(300)
        return subprocess.CompletedProcess(arguments, ended.code, ended.stdout, ended.stderr)

    def generate(self, *overrides: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.auto_label("generate", "-e", "spec.yaml", *overrides, **environment)

    def write_input(self, rows: Iterable[Mapping[str, Any]]) -> None:
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        (self.folder / "input.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def lines(self, name: str = "annotations.jsonl") -> list[dict[str, Any]]:
        text = (self.results / name).read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def status(self, asset: str, name: str = "tested") -> dict[str, int]:
        """How many partitions Dagster itself shows as what."""
        home = self.folder
        before = os.environ.get("DAGSTER_HOME")
        os.environ["DAGSTER_HOME"] = str(home)
        try:
            with dg.DagsterInstance.get() as instance:
                partitions = dg.DynamicPartitionsDefinition(name=f"{name}/samples")
                keys = set(instance.get_dynamic_partitions(f"{name}/samples"))
                value = get_and_update_asset_status_cache_value(
                    instance, dg.AssetKey([name, asset]), partitions
                )
                if value is None:
                    return {"materialized": 0, "failed": 0, "materializing": 0, "missing": len(keys)}
                materialized, failed, going = (
                    set(subset.get_partition_keys()) & keys
                    for subset in (
                        value.deserialize_materialized_partition_subsets(partitions),
                        value.deserialize_failed_partition_subsets(partitions),
                        value.deserialize_in_progress_partition_subsets(partitions),
                    )
                )
        finally:
            if before is None:
                del os.environ["DAGSTER_HOME"]
            else:
                os.environ["DAGSTER_HOME"] = before
        materialized -= failed | going
        return {
            "materialized": len(materialized),
            "failed": len(failed),
            "materializing": len(going),
            "missing": len(keys - materialized - failed - going),
        }


def make_project(folder: Path, vlm: str, *, image_root: Path | None = None) -> Project:
    """`vlm` is the YAML of the spec's vlm section, on one line."""
    folder.mkdir(parents=True, exist_ok=True)
    write_instance_file(folder)
    root = image_root or CORPUS / "coco24"
    (folder / "spec.yaml").write_text(
        "results_dir: results\n"
        "image_grounding:\n"
        f"  vlm: {vlm}\n"
        f"  data: {{name: tested, input_jsonl: input.jsonl, image_root: {json.dumps(str(root))}}}\n",
        encoding="utf-8",
    )
    return Project(folder)


def endpoint_settings(endpoint: SimulatedEndpoint) -> str:
    """The spec's vlm section for a simulated endpoint."""
    if endpoint.kind.name == "gemini":
        gemini = {"base_url": endpoint.base_url, "model": endpoint.model, "api_key": endpoint.key}
        return json.dumps({"backend": "gemini", "gemini": gemini})
    openai = {"base_url": endpoint.base_url, "model_name": endpoint.model, "api_key": endpoint.key}
    return json.dumps({"backend": "openai", "openai": openai})


def coco24_rows(count: int | None = None) -> list[dict[str, Any]]:
    """Five captions for each of 24 photos: 120 samples with 24 image ids. Without them, the test is skipped."""
    if not (CORPUS / "coco24").exists():
        pytest.skip(absent("coco24"), allow_module_level=True)
    rows = [
        {
            "image_id": str(photo["image_id"]),
            "image_path": photo["file"],
            "caption": caption,
            "split": photo["split"],
        }
        for photo in coco24_gold()
        for caption in photo["captions"]
    ]
    return rows[:count]


def refusing(*captions: str) -> Faults:
    """Faults of an endpoint that refuses these captions, always."""
    return Faults((Rule(Fault.REFUSED, captions=tuple(captions)),))


def sample_calls(endpoint: SimulatedEndpoint, since: int = 0) -> list[tuple[str, str]]:
    """(step, caption) of every request about a sample; calibration cards are left out."""
    return [
        (r.step, r.caption) for r in endpoint.requests[since:] if not r.caption.startswith("A white picture")
    ]


def captions_asked(endpoint: SimulatedEndpoint, since: int) -> set[str]:
    """The captions of the requests after the first `since`."""
    return {caption for _, caption in sample_calls(endpoint, since)}


def calls_of(endpoint: SimulatedEndpoint, rows: Sequence[Mapping[str, Any]]) -> int:
    """How many requests were about these rows."""
    captions = {row["caption"] for row in rows} | {" ".join(row["caption"].split()) for row in rows}
    return sum(caption in captions for _, caption in sample_calls(endpoint))

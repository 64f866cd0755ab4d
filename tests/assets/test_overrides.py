"""What a run's configuration overrides holds for every asset of that run, and leaves the rest of the spec alone."""

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from grounding_assets.core.spec.loading import load_spec
from grounding_assets.graph import build_defs
from resources.credentials import Credentials
from tests.corpus import needs_corpus
from tests.doors.project import coco24_rows, endpoint_settings, make_project
from tests.endpoints.server import Latency, SimulatedEndpoint, running
from tests.storages import fresh_instance

pytestmark = needs_corpus("coco24")
SPEC = """
  workflow: {max_workers: 3}
  checks: {max_failed_share: 0.25, max_without_box_share: 0.75}
  report: {max_samples: 5, thumbnail_px: 200}
  export: {formats: [odvg], min_score: 0.11, drop_unboxed: true}
"""
OVERRIDES = {
    "vlm": {"openai": {"temperature": 0.33}},
    "workflow": {"max_workers": 1},
    "checks": {"max_failed_share": 0.5},
    "report": {"max_samples": 2},
    "export": {"min_score": 1.0},
}


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    (event,) = result.asset_materializations_for_node(f"tested__{asset}")
    return {name: value.value for name, value in event.metadata.items()}


def test_an_override_reaches_every_asset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with (
        running(SimulatedEndpoint("vllm", "qwen3_vl")) as endpoint,
        fresh_instance() as instance,
    ):
        endpoint.latency = Latency(0.02)
        vlm = json.loads(endpoint_settings(endpoint))
        vlm["openai"] |= {"temperature": 0.77, "max_tokens": 1234}
        project = make_project(tmp_path, json.dumps(vlm))
        with project.spec.open("a", encoding="utf-8") as file:
            file.write(SPEC)
        project.write_input(coco24_rows(4))
        spec = load_spec(project.spec)
        result = (
            build_defs(spec, Credentials.of(spec, {}))
            .resolve_implicit_global_asset_job_def()
            .execute_in_process(
                run_config={"resources": {"dataset": {"config": OVERRIDES}}},
                instance=instance,
                asset_selection=[
                    key for key in _asset_keys(spec) if key.path[-1] not in ("expressions", "groundings")
                ],
            )
        )
    about_samples = [call for call in endpoint.requests if not call.caption.startswith("A white picture")]
    assert {call.parameters["temperature"] for call in about_samples} == {0.33}
    assert {call.parameters["max_tokens"] for call in about_samples} == {1234}, "the spec's own stays"
    assert endpoint.recorder.max_in_flight == 1

    of_annotations = [
        c for c in result.get_asset_check_evaluations() if c.asset_key.path[-1] == "annotations"
    ]
    checks = {check.check_name: check.metadata["limit"].value for check in of_annotations}
    assert (checks["failed_samples"], checks["expressions_without_box"]) == (0.5, 0.75)
    assert metadata(result, "report")["samples_shown"] == 2
    export = json.loads((project.results / "exports" / "odvg" / "export.json").read_text(encoding="utf-8"))
    assert (export["filters"]["min_score"], export["filters"]["drop_unboxed"]) == (1.0, True)


def _asset_keys(spec: Any) -> list[dg.AssetKey]:
    return [asset.key for asset in build_defs(spec).resolve_all_asset_specs()]

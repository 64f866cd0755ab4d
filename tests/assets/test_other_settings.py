"""Results that were made with other settings than a run's are counted, told, and kept."""

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from grounding_assets.cli import main
from tests.corpus import needs_corpus
from tests.doors.project import coco24_rows, endpoint_settings, make_project
from tests.endpoints.server import SimulatedEndpoint, running

pytestmark = needs_corpus("coco24")
NOTICE = "were made with other settings"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    return tmp_path


def counted() -> Any:
    with dg.DagsterInstance.get() as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(["tested", "annotation_run"]))
    assert event is not None and event.asset_materialization is not None
    return event.asset_materialization.metadata["made_with_other_settings"].value


def check(folder: Path, vlm: str, change: str, capsys: pytest.CaptureFixture[str]) -> None:
    project = make_project(folder, vlm)
    project.write_input(coco24_rows(3))
    assert main(["generate", "-e", "spec.yaml"]) == 0
    results = sorted((project.results / "step_1_grounding" / ".ckpt").iterdir())
    written = [file.read_bytes() for file in results]

    capsys.readouterr()
    assert main(["generate", "-e", "spec.yaml"]) == 0
    assert NOTICE not in capsys.readouterr().err
    assert counted() == 0

    assert main(["generate", "-e", "spec.yaml", change]) == 0
    told = capsys.readouterr().err
    assert f"6 results {NOTICE}" in told and "force_reprocess" in told
    assert counted() == 6
    assert [file.read_bytes() for file in results] == written, "they are kept"

    assert main(["generate", "-e", "spec.yaml", change, "image_grounding.workflow.force_reprocess=true"]) == 0
    assert NOTICE not in capsys.readouterr().err
    assert main(["generate", "-e", "spec.yaml", change]) == 0
    assert counted() == 0


def test_the_embedded_teacher(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check(folder, "{backend: local}", "image_grounding.vlm.local.single_threshold=0.4", capsys)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("gemini", "image_grounding.vlm.gemini.media_resolution=MEDIA_RESOLUTION_LOW"),
        ("vllm", "image_grounding.vlm.openai.temperature=0.05"),
    ],
)
def test_a_service(folder: Path, capsys: pytest.CaptureFixture[str], kind: Any, change: str) -> None:
    with running(SimulatedEndpoint(kind)) as endpoint:
        check(folder, endpoint_settings(endpoint), change, capsys)


def test_another_model_is_another_setting(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(SimulatedEndpoint("vllm")) as endpoint:
        project = make_project(folder, endpoint_settings(endpoint))
        project.write_input(coco24_rows(2))
        assert main(["generate", "-e", "spec.yaml"]) == 0
        capsys.readouterr()
        vlm = json.dumps({"backend": "local"})
        make_project(folder, vlm)
        assert main(["generate", "-e", "spec.yaml"]) == 0
        assert f"4 results {NOTICE}" in capsys.readouterr().err

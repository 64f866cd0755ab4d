"""`auto_label init` without a person: flags alone, and what it refuses to guess."""

from pathlib import Path

import pytest
import yaml

from grounding_assets.cli import main
from grounding_assets.cli.default_specs import spec_text
from grounding_assets.cli.init.answers import Answers
from grounding_assets.core.spec.loading import load_spec
from tests.corpus import CORPUS, needs_corpus
from tests.doors.project import Project, coco24_rows, make_project
from tests.endpoints.server import SimulatedEndpoint, running
from tests.init.terminal import free_port_url

pytestmark = needs_corpus("coco24")
ROOT = str(CORPUS / "coco24")
BEGINNING = ("init", "--input", "input.jsonl", "--yes")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = make_project(tmp_path / "work", "{backend: local}")
    made.spec.unlink()
    made.write_input(coco24_rows(3))
    return made


def test_flags_and_defaults_write_a_spec_and_never_replace_one(project: Project) -> None:
    with running(SimulatedEndpoint("vllm", "qwen3_vl")) as endpoint:
        flags = (
            *BEGINNING, "--image-root", ROOT, "--endpoint", "vllm", "--base-url", endpoint.base_url,
            "--steps", "0", "--results-dir", "out", "--name", "mine",
        )  # fmt: skip
        done = project.auto_label(*flags)
        assert done.returncode == 0, done.stderr
    written = yaml.safe_load(project.spec.read_text(encoding="utf-8"))
    section = written["image_grounding"]
    assert written["results_dir"] == "out"
    assert section["vlm"]["openai"]["model_name"] == endpoint.model, "the only one served needs no flag"
    assert section["workflow"]["steps"] == ["0"]
    assert section["data"]["name"] == "mine"

    local = (*BEGINNING, "--image-root", ROOT, "--endpoint", "local")
    before = project.spec.read_bytes()
    refused = project.auto_label(*local)
    assert refused.returncode == 2
    assert "--overwrite" in refused.stderr
    assert project.spec.read_bytes() == before
    assert project.auto_label(*local, "--overwrite").returncode == 0
    assert "backend: local" in project.spec.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        ((), 2, ["--image-root"]),
        (("--image-root", ROOT), 2, ["--endpoint"]),
        (("--image-root", "/nonexistent"), 2, ["--image-root", "No image is found"]),
        (("--image-root", ROOT, "--endpoint", "vllm", "--base-url", "DOWN"), 1, ["docs/vllm_server.md", "--base-url"]),
        (("--image-root", ROOT, "--endpoint", "tao", "--base-url", "DOWN"), 1, ["docs/tao_inference_service.md"]),
        (("--image-root", ROOT, "--endpoint", "nim"), 1, ["export OPENAI_API_KEY=", "build.nvidia.com"]),
    ],
)  # fmt: skip
def test_what_is_missing_or_down_is_said_and_nothing_is_written(
    project: Project,
    flags: tuple[str, ...],
    code: int,
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(project.folder)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    down = free_port_url()
    assert main([*BEGINNING, *(down if flag == "DOWN" else flag for flag in flags)]) == code
    said = capsys.readouterr().err
    for word in words:
        assert word in said
    assert not project.spec.exists()


@pytest.mark.parametrize(
    "path", ["a b", "a: b # c", "yes", "0123", "~", "ä/日本", "${oc.env:HOME}/x", "a${b}", "'\"", "[1, 2]", "- a", "1e3"]
)  # fmt: skip
@pytest.mark.parametrize("everything", [True, False])
def test_a_written_spec_reads_back_as_it_was(tmp_path: Path, path: str, everything: bool) -> None:
    answers = Answers(input=path, image_root=path, results_dir=path, endpoint="custom", model=path, steps="0")
    answers.base_url = "http://localhost:1/v1"
    spec = answers.to_spec()
    file = tmp_path / "spec.yaml"
    file.write_text(spec_text(spec, "heading", everything=everything), encoding="utf-8")
    assert load_spec(file) == spec
    assert spec.data.image_root == spec.results_dir == spec.vlm.openai.model_name == path

"""`auto_label import`, and how the other commands lead to it: from the files that people have to results."""

import json
import shutil
from pathlib import Path

import pytest

from grounding_assets.cli import main
from tests.corpus import CORPUS, needs_corpus
from tests.doors.project import coco24_rows, endpoint_settings, make_project
from tests.endpoints.server import SimulatedEndpoint, running
from tests.importing.sources import img2dataset_shard, photos

FILES = {
    "captions.csv": "file_name,caption\na.jpg,A cat\n",
    "metadata.jsonl": '{"file_name": "a.jpg", "text": "A cat"}\n',
    "captions.json": '[{"image": "a.jpg", "caption": "A cat"}]',
    "coco.json": '{"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [{"image_id": 1, "caption": "A cat"}]}',
    "folder/a.txt": "A cat",
}


@pytest.mark.parametrize("name", [*FILES, "shard.tar"])
def test_a_run_names_the_command_that_converts_the_file_and_it_does(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    photos(tmp_path, "a.jpg", "folder/a.jpg")
    given = tmp_path / name
    if name in FILES:
        given.write_text(FILES[name])
    else:
        img2dataset_shard(given)
    given = given.parent if name.startswith("folder/") else given
    settings = {"vlm": {"backend": "local"}, "data": {"input_jsonl": str(given)}}
    Path("spec.yaml").write_text(json.dumps({"results_dir": "results", "image_grounding": settings}))
    assert main(["generate"]) == 2
    command = capsys.readouterr().err.split("convert it with `")[1].split("`")[0].split()
    assert command[:2] == ["auto_label", "import"]
    assert main(command[1:]) == 0
    said = capsys.readouterr().out
    assert "Next: auto_label init --input" in said
    written = json.loads(next(tmp_path.glob("*.input.jsonl")).read_text().splitlines()[0])
    assert written["caption"].startswith(("A cat", "A red cup"))


@needs_corpus("coco24")
def test_a_photo_without_a_caption_is_described_and_grounded(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for row in coco24_rows(10)[::5]:
        shutil.copy(CORPUS / "coco24" / row["image_path"], folder)
    with running(SimulatedEndpoint("vllm", "qwen3_vl")) as endpoint:
        project = make_project(tmp_path / "project", endpoint_settings(endpoint), image_root=folder)
        refused = project.auto_label("import", str(folder), "--output", "input.jsonl")
        assert refused.returncode == 2
        assert "2 left out: no caption (--caption-from-model keeps such images" in refused.stderr
        words = ("import", str(folder), "--output", "input.jsonl", "--caption-from-model")
        assert project.auto_label(*words).returncode == 0
        ran = project.generate()
        assert ran.returncode == 0, ran.stderr
    lines = project.lines()
    assert [(line["caption"], bool(line["cleaned_caption"])) for line in lines] == [("", True)] * 2
    assert all(line["provenance"]["step_0"]["prompt_version"].startswith("describe@") for line in lines)
    assert any(line["expressions"] for line in lines)
    again = project.generate()
    assert "2 of 2 samples have a result" in again.stdout
    assert "other settings" not in again.stdout + again.stderr

"""What the command says of an input that cannot be meant: an empty file, images that are not where they should be."""

import gzip
import json
from pathlib import Path

import pytest

from grounding_assets.cli import main
from tests.core.workspaces import picture_rows
from tests.doors.project import make_project

LINE = json.dumps({"image_path": "a.jpg", "caption": "A cat."})


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "The file is empty or holds only blank lines."),
        (b"\n\n  \n", "The file is empty or holds only blank lines."),
        (LINE.encode("utf-16"), "It is UTF-16: convert it with `iconv -f UTF-16 -t UTF-8`."),
        (gzip.compress(LINE.encode()), "It is compressed: unpack it with `gunzip`."),
    ],
    ids=["empty", "blank", "UTF-16", "compressed"],
)
def test_an_input_without_a_record_is_told_with_its_cause(
    tmp_path: Path, content: bytes, cause: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "input.jsonl").write_bytes(content)
    data = {"input_jsonl": str(tmp_path / "input.jsonl")}
    settings = {"vlm": {"backend": "local"}, "data": data}
    spec = {"results_dir": str(tmp_path / "results"), "image_grounding": settings}
    (tmp_path / "spec.yaml").write_text(json.dumps(spec))
    assert main(["generate", "-e", str(tmp_path / "spec.yaml")]) == 2
    said = capsys.readouterr().err
    assert "No input records at" in said and cause in said


def test_images_that_are_nowhere_are_told_at_the_terminal_with_what_to_do(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", "{backend: local}", image_root=tmp_path / "elsewhere")
    project.write_input(picture_rows(tmp_path, 3))
    ended = project.generate()
    assert ended.returncode == 1
    assert "None of the first 3 images was found" in ended.stderr
    assert "Set image_grounding.data.image_root to the folder that image_path starts from." in ended.stderr

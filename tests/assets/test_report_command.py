"""`auto_label report`: the page of a results folder, and what the spec says of it."""

import json
from pathlib import Path

import pytest

from grounding_assets.cli import main
from tests.core.workspaces import RuleTeacher, annotate, open_workspace, picture_rows, roll_up, write_input


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """12 annotated samples and a spec, in the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spec.yaml").write_text(
        "results_dir: results\nimage_grounding: {data: {name: tested, input_jsonl: input.jsonl}}\n"
    )
    rows = picture_rows(tmp_path, 12)
    # no word of three letters: a record without expressions has its sample id from the record alone
    rows[7]["caption"] = "a b c"
    rows.append({**rows[7], "caption": "x y z"})
    write_input(tmp_path / "input.jsonl", rows)
    return tmp_path


def annotated(folder: Path) -> None:
    workspace = open_workspace(folder)
    annotate(workspace, RuleTeacher())
    roll_up(workspace)


def test_the_page_holds_every_sample_and_its_place_is_printed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    annotated(folder)
    assert main(["report", "-e", "spec.yaml"]) == 0
    page = folder / "results" / "report.html"
    assert capsys.readouterr().out.startswith(f"Report: {page} (all 13 samples")
    text = page.read_text(encoding="utf-8")
    ids = [json.loads(line)["sample_id"] for line in (folder / "results" / "annotations.jsonl").open()]
    assert len(set(ids)) == 13
    assert all(f'"id":{json.dumps(sample_id)}' in text for sample_id in ids)


def test_the_spec_limits_samples_and_photos(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    annotated(folder)
    assert main(["report", "-e", "spec.yaml", "image_grounding.report.max_samples=5"]) == 0
    assert "(5 of 13 samples" in capsys.readouterr().out
    assert main(["report", "-e", "spec.yaml", "image_grounding.report.thumbnail_px=20"]) == 2
    assert "thumbnail_px" in capsys.readouterr().err


def test_without_annotations_it_says_what_to_do(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "-e", "spec.yaml"]) == 2
    assert "auto_label generate" in capsys.readouterr().err
    assert not (folder / "results" / "report.html").exists()


def test_a_damaged_line_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    annotated(folder)
    with (folder / "results" / "annotations.jsonl").open("a") as file:
        file.write("{\n")
    assert main(["report", "-e", "spec.yaml"]) == 2
    assert "annotations.jsonl, line 14" in capsys.readouterr().err

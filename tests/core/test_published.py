"""`results_dir/annotations.jsonl`: the last step's output, and what is said before lines of it go."""

import json
from pathlib import Path

import pytest

from grounding_assets.core.dataset.published import publish_annotations
from grounding_assets.core.dataset.rollup import write_step_annotations
from grounding_assets.core.errors import RunStopped
from grounding_assets.core.files import to_json
from grounding_assets.core.steps import Step
from tests.core.workspaces import (
    BOTH,
    annotate,
    json_lines,
    open_workspace,
    picture_rows,
    roll_up,
    write_input,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five samples on six lines; both steps done, nothing rolled up."""
    rows = picture_rows(tmp_path, 5)
    write_input(tmp_path / "input.jsonl", [*rows, {**rows[1], "image_id": "again"}])
    annotate(open_workspace(tmp_path))
    return tmp_path


def test_publishing_copies_the_last_step(folder: Path) -> None:
    workspace = open_workspace(folder)
    for step in BOTH:
        write_step_annotations(workspace, step)
    for step in (Step.GROUNDING, Step.EXTRACTION, Step.GROUNDING):
        published = publish_annotations(workspace, step)
        assert published.read_bytes() == workspace.step(step).annotations.read_bytes()


@pytest.mark.parametrize("others", [0, 2], ids=["shorter", "longer"])
def test_before_lines_go_from_the_published_file_it_is_told_why(folder: Path, others: int) -> None:
    roll_up(open_workspace(folder))
    published = folder / "results" / "annotations.jsonl"
    before = len(json_lines(published))
    rows = (folder / "input.jsonl").read_bytes().splitlines()
    more = [to_json({**json.loads(rows[0]), "caption": f"A cat {n}."}) for n in range(others)]
    (folder / "input.jsonl").write_bytes(b"\n".join(rows[1:] + more) + b"\n")
    workspace = open_workspace(folder)
    annotate(workspace)
    for step in BOTH:
        write_step_annotations(workspace, step)
    told: list[tuple[str, int]] = []

    def notice(text: str) -> None:
        told.append((text, len(json_lines(published))))

    for _ in range(2):
        publish_annotations(workspace, Step.GROUNDING, notice)
    ((text, lines_then),) = told
    assert lines_then == before and len(json_lines(published)) == before - 1 + others
    assert text.startswith(f"{published} loses 1 lines: their samples were removed from the input")


@pytest.mark.parametrize(
    ("line", "lost"),
    [
        (b'{"image_id": "0004", "sample_id": "0004"}', 0),
        (b'{"image_id": "0004", "sample_id": "\\q"}', 0),
        (b'{"image_id": "0004", "sample_id": "\xff"}', 0),
        (b'{"image_id": "0004"', 0),
        (b'{"sample_id":"0004"}', 0),
        (b'{"sample_id":"gone"}', 1),
        (b'{"image_id": "0004"}', 0),
        (b'{"image_id": 5}', 1),
    ],
    ids=str,
)
def test_a_line_that_goes_is_told_of_only_if_its_sample_has_no_other(
    folder: Path, line: bytes, lost: int
) -> None:
    workspace = open_workspace(folder)
    roll_up(workspace)
    published = folder / "results" / "annotations.jsonl"
    right = published.read_bytes()
    published.write_bytes(right + line + b"\n")
    told: list[str] = []
    publish_annotations(workspace, Step.GROUNDING, told.append)
    assert published.read_bytes() == right
    assert [f" loses {lost} lines: " in text for text in told] == [True] * lost


def test_a_folder_in_the_place_of_the_annotations_stops_the_run_by_name(folder: Path) -> None:
    workspace = open_workspace(folder)
    (folder / "results" / "annotations.jsonl").mkdir()
    with pytest.raises(RunStopped, match=r"^Cannot write .*annotations\.jsonl: Is a directory"):
        roll_up(workspace)

"""How far each sample is: what counts as done, and what a change of the input or of a result undoes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.records import Sample
from grounding_assets.core.steps import Step
from tests.core.workspaces import (
    BOTH,
    RuleTeacher,
    annotate,
    json_lines,
    open_workspace,
    picture_rows,
    write_input,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four samples, both steps done."""
    write_input(tmp_path / "input.jsonl", picture_rows(tmp_path, 4))
    annotate(open_workspace(tmp_path))
    return tmp_path


def pending(workspace: Workspace, steps: tuple[Step, ...] = BOTH) -> dict[str, tuple[str, ...]]:
    return {one.sample_id: one.steps for one in workspace.pending(workspace.samples.ids, steps)}


def edit_input(folder: Path, edit: Callable[[list[dict[str, Any]]], Any]) -> None:
    rows = json_lines(folder / "input.jsonl")
    edit(rows)
    write_input(folder / "input.jsonl", rows)


def test_everything_is_pending_at_first(tmp_path: Path) -> None:
    write_input(tmp_path / "input.jsonl", picture_rows(tmp_path, 2))
    workspace = open_workspace(tmp_path)
    assert pending(workspace) == {"0000": BOTH, "0001": BOTH}
    assert pending(workspace, (Step.EXTRACTION,)) == {"0000": ("0",), "0001": ("0",)}
    assert workspace.input_fingerprint("0000", Step.GROUNDING) is None


def test_nothing_is_pending_after_a_run(folder: Path) -> None:
    assert pending(open_workspace(folder)) == {}


EDITS: dict[str, tuple[Callable[[list[dict[str, Any]]], Any], dict[str, tuple[str, ...]]]] = {
    "nothing": (lambda rows: None, {}),
    "reordered": (lambda rows: rows.reverse(), {}),
    "a line removed": (lambda rows: rows.pop(1), {}),
    "a line added in front": (
        lambda rows: rows.insert(0, {"image_path": "0000.png", "caption": "new"}),
        {"0000~*": BOTH},
    ),
    "a line repeated": (lambda rows: rows.append({**rows[1], "split": "test"}), {}),
    "a caption changed": (lambda rows: rows[2].update(caption="a horse"), {"0002~*": BOTH}),
    "a size declared": (lambda rows: rows[2].update(width=640, height=480.0), {"0002": BOTH}),
    "half a size declared": (lambda rows: rows[2].update(width=640), {}),
    "another field changed": (lambda rows: rows[2].update(split="train"), {}),
    "an image_id given": (lambda rows: rows[2].update(image_id="mine"), {}),
}


@pytest.mark.parametrize(("edit", "expected"), EDITS.values(), ids=EDITS)
def test_a_changed_input_costs_what_changed(
    folder: Path, edit: Callable[[list[dict[str, Any]]], Any], expected: dict[str, tuple[str, ...]]
) -> None:
    edit_input(folder, edit)
    found = pending(open_workspace(folder))
    assert {name.split("~")[0] + "~*" * ("~" in name): steps for name, steps in found.items()} == expected
    teacher = RuleTeacher()
    annotate(open_workspace(folder), teacher)
    assert len(teacher.calls) == 2 * len(expected)
    assert pending(open_workspace(folder)) == {}


def test_an_edited_step_0_is_grounded_again(folder: Path) -> None:
    workspace = open_workspace(folder)
    before = workspace.extractions.store.load("0001")
    assert before is not None
    edited = replace(before, output_fingerprint="another", expressions=before.expressions[:1])
    workspace.extractions.store.save(edited)
    assert pending(open_workspace(folder)) == {"0001": ("1",)}


@pytest.mark.parametrize(
    ("lost", "expected"),
    [("0", {"0003": ("0", "1")}), ("1", {"0003": ("1",)})],
)
def test_a_lost_result_is_made_again(folder: Path, lost: str, expected: dict[str, tuple[str, ...]]) -> None:
    (folder / "results" / Step(lost).folder / ".ckpt" / "0003.json").unlink()
    assert pending(open_workspace(folder)) == expected


@pytest.mark.parametrize(
    ("image_path", "expected"),
    [
        ("a/b.jpg", "/root/pictures/a/b.jpg"),
        ("/other/c.jpg", "/other/c.jpg"),
        ("../d.jpg", "/root/pictures/../d.jpg"),
    ],
)
def test_a_relative_path_starts_from_the_image_root(folder: Path, image_path: str, expected: str) -> None:
    workspace = Workspace(open_workspace(folder).samples, folder / "results", Path("/root/pictures"))
    assert str(workspace.image_file(Sample("s", image_path, "caption"))) == expected

"""A power cut undoes no more than the documentation says: the results of the last second."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grounding_assets.core.budget.opening import open_account
from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.spec.loading import validate_spec
from tests.core.power_cut import Disk
from tests.core.workspaces import (
    BOTH,
    RuleTeacher,
    annotate,
    open_workspace,
    picture_rows,
    roll_up,
    write_input,
)

COUNT = 6
PATIENCE_S = 60


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    """With the input on it."""
    write_input(tmp_path / "input.jsonl", picture_rows(tmp_path, COUNT))
    return Disk(tmp_path, monkeypatch)


def lying(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


def done_dirs(workspace: Workspace) -> list[Path]:
    return [workspace.step(step).store.done_dir for step in BOTH]


def test_all_results_survive_once_a_run_has_ended(tmp_path: Path, disk: Disk) -> None:
    workspace = open_workspace(tmp_path)
    annotate(workspace)
    for folder in done_dirs(workspace):
        assert len(lying(folder)) == COUNT and disk.left(folder) == lying(folder)


def test_so_do_the_files_that_it_writes(tmp_path: Path, disk: Disk) -> None:
    workspace = open_workspace(tmp_path)
    annotate(workspace)
    roll_up(workspace)
    for folder in (workspace.results_dir, *(workspace.step(step).store.step_dir for step in BOTH)):
        found, left = lying(folder), disk.left(folder)
        written = [name for name in found if name.endswith(".jsonl")]
        assert written and {name: left.get(name) for name in written} == {
            name: found[name] for name in written
        }


def until(condition: Callable[[], bool]) -> Callable[[str, str], Any]:
    """Holds the last sample's answer until then."""

    async def wait(step: str, caption: str) -> None:
        if caption.startswith(f"a cat {COUNT - 1}") and step == "1":
            async with asyncio.timeout(PATIENCE_S):
                while not condition():
                    await asyncio.sleep(0.01)

    return wait


def test_results_of_a_run_that_still_waits_for_an_answer_survive(tmp_path: Path, disk: Disk) -> None:
    workspace = open_workspace(tmp_path)
    folder = workspace.groundings.store.done_dir
    annotate(workspace, RuleTeacher(before_answer=until(lambda: len(disk.left(folder)) == COUNT - 1)))
    assert len(disk.left(folder)) == COUNT


def test_an_order_to_redo_survives_before_its_first_result_and_so_does_what_it_replaced(
    tmp_path: Path, disk: Disk
) -> None:
    annotate(open_workspace(tmp_path))
    workspace = open_workspace(tmp_path)
    workspace.redo.give(workspace.samples.ids, BOTH)
    before = {folder: lying(folder) for folder in done_dirs(workspace)}
    ordered = []

    async def note(step: str, caption: str) -> None:
        if step == "1":
            ordered.append(len(disk.left(tmp_path / "results" / ".redo")))

    annotate(workspace, RuleTeacher(before_answer=note, name="another"), max_workers=1)
    assert ordered == [1] * COUNT, "each asked after a result of the order was stored"
    for folder, old in before.items():
        kept = [path for path in (folder.parent / ".retired").iterdir() if path.is_dir()]
        assert len(kept) == 1 and disk.left(kept[0]) == old
        assert disk.left(folder) == lying(folder) != old


def test_the_file_that_calls_are_booked_in_survives_from_its_beginning(tmp_path: Path, disk: Disk) -> None:
    spec = validate_spec({"results_dir": str(tmp_path / "new" / "results")}, where="the test")
    with open_account(spec, Path(spec.results_dir)):
        assert "calls.jsonl" in disk.left(Path(spec.results_dir))

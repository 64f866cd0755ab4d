"""A disk that is full or read-only: a clear message, nothing finished is lost, and the next run goes on.

On a real file system of its own, which only root can mount; elsewhere these tests are skipped.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from grounding_assets.core.dataset.rollup import write_step_annotations
from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.errors import RunStopped
from grounding_assets.core.steps import Step
from tests.core.workspaces import annotate, open_workspace, picture_rows, roll_up, write_input
from tests.formats import check_results

SAMPLES = 150


def mount(*arguments: str) -> bool:
    return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode == 0


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A data set whose results folder is a disk of 256 KiB."""
    results = tmp_path / "results"
    results.mkdir()
    if not mount("-t", "tmpfs", "-o", "size=256k", "none", str(results)):
        pytest.skip("no right to mount a small file system")
    write_input(tmp_path / "input.jsonl", picture_rows(tmp_path, SAMPLES))
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", "-l", str(results)], check=True)


def remount(folder: Path, options: str) -> None:
    assert mount("-o", f"remount,{options}", str(folder / "results"))


def done(workspace: Workspace) -> set[str]:
    return {name for name in workspace.samples.ids if workspace.is_done(name, Step.GROUNDING)}


def test_a_full_disk_stops_the_run_and_the_next_one_goes_on(folder: Path) -> None:
    workspace = open_workspace(folder)
    with pytest.raises(
        RunStopped, match=r"Cannot write .*: No space left on device\. What is finished is kept"
    ):
        annotate(workspace)
    finished = done(workspace)
    assert 10 < len(finished) < SAMPLES
    remount(folder, "size=64m")
    workspace = open_workspace(folder)
    assert done(workspace) >= finished and workspace.groundings.index.corrupt == 0
    assert not list((folder / "results").rglob("*.partial"))
    annotate(workspace)
    roll_up(workspace)
    assert check_results(folder / "results", folder / "input.jsonl").annotated == SAMPLES


def test_a_rollup_on_a_full_disk_leaves_the_old_file(folder: Path) -> None:
    workspace = open_workspace(folder)
    with pytest.raises(RunStopped):
        annotate(workspace)
    annotations = workspace.step(Step.GROUNDING).annotations
    annotations.write_bytes(b"")
    with pytest.raises(RunStopped, match="Cannot write"):
        write_step_annotations(workspace, Step.GROUNDING)
    assert annotations.read_bytes() == b""
    assert not list((folder / "results").rglob("*.partial"))


def test_a_read_only_folder_stops_the_run(folder: Path) -> None:
    workspace = open_workspace(folder)
    remount(folder, "ro")
    with pytest.raises(RunStopped, match="Read-only file system"):
        annotate(workspace)
    with pytest.raises(RunStopped, match="Read-only file system"):
        write_step_annotations(workspace, Step.EXTRACTION)

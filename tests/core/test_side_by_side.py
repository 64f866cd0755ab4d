"""Reparsing and hand edits beside a run of another process: what is newer is not replaced by what is older."""

import json
import multiprocessing
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.synchronize import Event
from pathlib import Path
from threading import Thread

import pytest

from grounding_assets.core.annotation.reparse import Reparsed, keep_reparsed
from grounding_assets.core.dataset.extraction_edits import adopt_extractions
from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.steps import Step
from grounding_assets.core.store.checkpoint import Checkpoint
from grounding_assets.core.store.sample_locks import Claims
from tests.core.workspaces import annotate, json_lines, open_workspace, picture_rows, roll_up, write_input

SAMPLE = "0001"
_context = multiprocessing.get_context("fork")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three samples, both steps done and rolled up."""
    write_input(tmp_path / "input.jsonl", picture_rows(tmp_path, 3))
    workspace = open_workspace(tmp_path)
    annotate(workspace)
    roll_up(workspace)
    return tmp_path


def made_by(workspace: Workspace, model: str) -> Checkpoint:
    """Step 0's result as if this model had given it."""
    before = workspace.extractions.store.load(SAMPLE)
    assert before is not None
    return replace(before, provenance={**before.provenance, "model": model})


def model_of(folder: Path) -> str:
    result = open_workspace(folder).extractions.store.load(SAMPLE)
    assert result is not None
    return str(result.provenance["model"])


def run_elsewhere(folder: Path, begun: Event, may_end: Event) -> None:
    workspace = open_workspace(folder)
    with Claims(workspace.results_dir) as claims:
        assert claims.take(SAMPLE)
        begun.set()
        assert may_end.wait(60)
        workspace.extractions.index.save(made_by(workspace, "newer"))


@pytest.fixture
def may_end(folder: Path) -> Iterator[Event]:
    """Another process works on the sample; once this is set it stores a result and ends."""
    begun, may_end = _context.Event(), _context.Event()
    process = _context.Process(target=run_elsewhere, args=(folder, begun, may_end))
    process.start()
    try:
        assert begun.wait(60)
        yield may_end
    finally:
        may_end.set()
        process.join(60)
    assert process.exitcode == 0


def reparsed(workspace: Workspace) -> list[Reparsed]:
    return [Reparsed(SAMPLE, Step.EXTRACTION, "expressions 3 -> 4", made_by(workspace, "reparsed"))]


def test_reparsing_replaces_what_it_has_read(folder: Path) -> None:
    workspace = open_workspace(folder)
    assert keep_reparsed(workspace, reparsed(workspace)) == 1
    assert model_of(folder) == "reparsed"


def test_reparsing_leaves_what_has_been_made_again_since(folder: Path) -> None:
    workspace, other = open_workspace(folder), open_workspace(folder)
    found = reparsed(workspace)
    other.extractions.index.save(made_by(other, "newer"))
    assert keep_reparsed(workspace, found) == 0
    assert model_of(folder) == "newer"


def test_reparsing_leaves_what_a_run_works_on(folder: Path, may_end: Event) -> None:
    workspace = open_workspace(folder)
    assert keep_reparsed(workspace, reparsed(workspace)) == 0
    assert model_of(folder) == "rule"


def test_an_edit_waits_for_the_run_that_works_on_its_sample(folder: Path, may_end: Event) -> None:
    workspace = open_workspace(folder)
    lines = json_lines(workspace.extractions.annotations)
    lines[1] |= {"cleaned_caption": "A dog.", "expressions": [{"text": "A dog"}]}
    workspace.extractions.annotations.write_text("".join(json.dumps(line) + "\n" for line in lines))
    adopting = Thread(target=adopt_extractions, args=(workspace, workspace.extractions.annotations))
    adopting.start()
    may_end.set()
    adopting.join(60)
    result = open_workspace(folder).extractions.store.load(SAMPLE)
    assert result is not None and result.cleaned_caption == "A dog."
    [kept, *_] = workspace.extractions.store.retired(SAMPLE)
    assert json.loads(kept.read_bytes())["provenance"]["model"] == "newer"

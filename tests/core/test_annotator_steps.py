"""Which steps are done again, and two runs at once."""

import asyncio
from pathlib import Path

import pytest

from grounding_assets.core.steps import Step
from tests.core.annotating import annotator, caption, everything, within
from tests.core.workspaces import (
    Outcomes,
    RuleTeacher,
    annotate,
    open_workspace,
    picture_rows,
    roll_up,
    write_input,
)
from tests.formats import check_results


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_input(tmp_path / "input.jsonl", picture_rows(tmp_path, 12))
    return tmp_path


def test_step_1_alone_uses_the_stored_extraction(folder: Path) -> None:
    annotate(open_workspace(folder), steps=(Step.EXTRACTION,))
    workspace, teacher = open_workspace(folder), RuleTeacher()
    annotate(workspace, teacher, steps=(Step.GROUNDING,))
    assert {step for step, _ in teacher.calls} == {"1"} and len(teacher.calls) == 12


def test_an_extraction_that_disappears_is_made_again(folder: Path) -> None:
    """As when another run that redoes everything has just retired it."""
    annotate(open_workspace(folder), steps=(Step.EXTRACTION,))
    workspace = open_workspace(folder)
    workspace.extractions.store.path("0004").unlink()
    outcomes = annotate(workspace, steps=(Step.GROUNDING,))
    assert not outcomes.failures
    assert workspace.extractions.store.load("0004") is not None
    assert workspace.is_done("0004", Step.GROUNDING)


def test_a_redone_step_0_with_the_same_outcome_keeps_its_grounding(folder: Path) -> None:
    annotate(open_workspace(folder))
    workspace, teacher = open_workspace(folder), RuleTeacher()
    workspace.extractions.store.path("0006").unlink()
    workspace.extractions.index.refresh()
    outcomes = annotate(workspace, teacher)
    assert teacher.calls == [("0", caption(6))]
    assert outcomes.done_steps == [("0006", "0"), ("0006", "1")]
    assert outcomes.checkpoints[1].provenance["tokens_in"] == 0, "it cost this run nothing"
    stored = workspace.groundings.store.load("0006")
    assert stored is not None and stored.provenance["tokens_in"] == 10


def test_two_runs_at_once_lose_and_spoil_nothing(folder: Path) -> None:
    async def run() -> None:
        both = [open_workspace(folder), open_workspace(folder)]
        runs = (annotator(one, RuleTeacher(), Outcomes()).run(everything(one)) for one in both)
        await asyncio.gather(*runs)

    within(30, run())
    workspace = open_workspace(folder)
    assert list(everything(workspace)) == []
    roll_up(workspace)
    assert check_results(folder / "results", folder / "input.jsonl").annotated == 12

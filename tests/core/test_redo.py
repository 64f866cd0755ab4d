"""Redoing is safe: an old result stands until its successor is stored, and what is left to redo is remembered."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grounding_assets.core.dataset.doubtful_results import set_aside
from grounding_assets.core.dataset.restoring import restorable, restore
from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.errors import InputError, Reason, RunStopped, SampleFailure
from grounding_assets.core.steps import Step
from grounding_assets.core.store.checkpoint import Checkpoint
from tests.core.annotating import annotator, caption, everything, within
from tests.core.workspaces import (
    BOTH,
    Outcomes,
    RuleTeacher,
    annotate,
    json_lines,
    open_workspace,
    picture_rows,
    roll_up,
    write_input,
    write_picture,
)

COUNT = 6


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six samples, both steps done and rolled up."""
    write_input(tmp_path / "input.jsonl", picture_rows(tmp_path, COUNT))
    workspace = open_workspace(tmp_path)
    annotate(workspace)
    roll_up(workspace)
    return tmp_path


def ordered(folder: Path) -> Workspace:
    workspace = open_workspace(folder)
    workspace.redo.give(workspace.samples.ids, BOTH)
    return workspace


def made_by(folder: Path, step: Step = Step.GROUNDING) -> list[str]:
    """Which model made each line of `annotations.jsonl`."""
    workspace = open_workspace(folder)
    roll_up(workspace)
    lines = json_lines(folder / "results" / "annotations.jsonl")
    return [line["provenance"][step.provenance_key]["model"] for line in lines]


def orders(folder: Path) -> list[Path]:
    return list((folder / "results" / ".redo").glob("*.json"))


def test_an_order_that_got_nowhere_leaves_no_trace(folder: Path) -> None:
    workspace = ordered(folder)
    assert len(list(everything(workspace))) == COUNT
    stopped = RuleTeacher(trouble=lambda step, text: RunStopped("wrong key"), name="new")
    with pytest.raises(RunStopped):
        annotate(workspace, stopped)
    assert orders(folder) == [] and list(everything(open_workspace(folder))) == []
    assert made_by(folder) == ["rule"] * COUNT


def stopped_after(calls: int) -> RuleTeacher:
    teacher = RuleTeacher(name="new")
    teacher.trouble = lambda step, text: RunStopped("enough") if len(teacher.calls) > calls else None
    return teacher


@pytest.mark.parametrize("calls", range(1, 2 * COUNT))
def test_what_is_left_of_a_stopped_redo_is_done_by_a_plain_run_and_no_more(folder: Path, calls: int) -> None:
    """Calls go one at a time: of an odd number the last one is a step 0 that waits for its step 1."""
    with pytest.raises(RunStopped, match="enough"):
        annotate(ordered(folder), stopped_after(calls), max_workers=1)
    assert sorted(made_by(folder)) == ["new"] * (calls // 2) + ["rule"] * (COUNT - calls // 2)
    again = RuleTeacher(name="new")
    annotate(open_workspace(folder), again)
    assert len(again.calls) == 2 * COUNT - calls
    assert made_by(folder) == ["new"] * COUNT == made_by(folder, Step.EXTRACTION)
    assert orders(folder) == [] and list(everything(open_workspace(folder))) == []
    kept = [list((folder / "results" / step.folder / ".retired").rglob("*.json")) for step in BOTH]
    assert [len(files) for files in kept] == [COUNT, COUNT]


def test_the_same_order_given_again_does_not_redo_what_it_has_redone(folder: Path) -> None:
    with pytest.raises(RunStopped):
        annotate(ordered(folder), stopped_after(4), max_workers=1)
    again = RuleTeacher(name="new")
    annotate(ordered(folder), again)
    assert len(again.calls) == 2 * COUNT - 4 and orders(folder) == []
    once_more = RuleTeacher(name="newer")
    annotate(ordered(folder), once_more)
    assert len(once_more.calls) == 2 * COUNT, "a finished order is a new one when it is given again"


def test_an_order_with_other_settings_takes_the_place_of_an_open_one_and_waits_for_them(folder: Path) -> None:
    def opened(settings: str) -> Workspace:
        workspace = open_workspace(folder)
        own = Workspace(workspace.samples, folder / "results", folder, dict.fromkeys(BOTH, settings))
        return own.refresh()

    first = opened("one model")
    first.redo.give(first.samples.ids, BOTH)
    with pytest.raises(RunStopped):
        annotate(first, stopped_after(4), max_workers=1)
    assert len(list(everything(opened("one model")))) == COUNT - 2
    assert list(everything(opened("another model"))) == [], (
        "a plain run redoes nothing with settings of its own"
    )
    second = opened("another model")
    second.redo.give(second.samples.ids, BOTH)
    assert len(list(everything(second))) == COUNT
    annotate(second, RuleTeacher(name="newest"))
    assert made_by(folder) == ["newest"] * COUNT and orders(folder) == []


def test_a_failed_redo_keeps_the_old_result_and_is_told(folder: Path) -> None:
    def trouble(step: str, text: str) -> Exception | None:
        return SampleFailure(Reason.REFUSED, "No.") if (step, text) == ("1", caption(2)) else None

    workspace = ordered(folder)
    annotate(workspace, RuleTeacher(trouble=trouble, name="new"))
    roll_up(workspace)
    models = made_by(folder)
    assert models == ["new", "new", "rule", "new", "new", "new"]
    rows = json_lines(folder / "results" / "failures.jsonl")
    assert [(row["sample_id"], row["reason"], row["in_annotations"]) for row in rows] == [
        ("0002", "refused", True)
    ]
    again = RuleTeacher(name="new")
    annotate(open_workspace(folder), again)
    assert again.calls == [("1", caption(2))] and orders(folder) == []


def test_a_kill_between_two_replacements_is_made_good(folder: Path) -> None:
    """Step 1's new result is in its place, and step 0's not yet."""
    workspace = ordered(folder)
    annotate(workspace, stopped_or_not := RuleTeacher(name="new"), max_workers=1)
    assert len(stopped_or_not.calls) == 2 * COUNT
    store = open_workspace(folder).extractions.store
    store.staged_dir.mkdir(exist_ok=True)
    store.path("0003").rename(store.staged_path("0003"))
    shutil.copy(store.retired("0003")[0], store.path("0003"))
    assert list(everything(open_workspace(folder))) == []
    assert made_by(folder, Step.EXTRACTION) == ["new"] * COUNT


def test_a_damaged_order_is_named(folder: Path) -> None:
    (folder / "results" / ".redo").mkdir()
    (folder / "results" / ".redo" / "0.json").write_text("{")
    with pytest.raises(InputError, match=r"\.redo/0\.json is damaged: delete it"):
        open_workspace(folder)


def test_samples_are_begun_in_input_order(folder: Path) -> None:
    outcomes = annotate(ordered(folder), max_workers=1)
    assert outcomes.started_ids == [f"{i:04d}" for i in range(COUNT)]


def later(file: Path) -> None:
    os.utime(file, ns=(10**18, 10**18))


REPLACED: dict[str, tuple[Callable[[Path], Any], bool]] = {
    "another size": (lambda file: write_picture(file, (80, 40)), True),
    "touched": (later, False),
    "written again, the same": (lambda file: file.write_bytes(file.read_bytes()), False),
    "gone": (lambda file: file.unlink(), False),
}


@pytest.mark.parametrize(("replace", "noticed"), REPLACED.values(), ids=REPLACED)
def test_a_replaced_image_is_noticed(folder: Path, replace: Callable[[Path], Any], noticed: bool) -> None:
    replace(folder / "0001.png")
    workspace = open_workspace(folder)
    assert workspace.images.sample_ids == ({"0001"} if noticed else set())
    assert [(one.sample_id, one.steps) for one in everything(workspace)] == [("0001", BOTH)] * noticed
    teacher = RuleTeacher()
    annotate(workspace, teacher)
    assert len(teacher.calls) == 2 * noticed
    assert list(everything(open_workspace(folder))) == []
    roll_up(open_workspace(folder))
    line = json_lines(folder / "results" / "annotations.jsonl")[1]
    assert (line["width"], line["height"]) == ((80, 40) if noticed else (64, 48))


def test_a_failure_from_the_future_is_tried_again(folder: Path) -> None:
    workspace = ordered(folder)
    store = workspace.extractions.store
    fingerprint = workspace.next_fingerprint("0001", Step.EXTRACTION) or ""
    store.save_failure("0001", fingerprint, SampleFailure(Reason.TIMEOUT, "No reply."))
    file = store.failed_dir / "0001.json"
    file.write_text(file.read_text().replace('"time": "20', '"time": "90'))
    teacher = RuleTeacher()
    outcomes = annotate(workspace, teacher)
    assert not outcomes.failures and len(teacher.calls) == 2 * COUNT


def test_another_runs_result_is_not_made_again(folder: Path) -> None:
    """Two runs of one order at once: each sample is asked about once."""
    teachers = [RuleTeacher(name="new"), RuleTeacher(name="new")]

    async def run() -> None:
        first, second = ordered(folder), ordered(folder)
        await annotator(first, teachers[0], Outcomes()).run(everything(first))
        await annotator(second, teachers[1], Outcomes()).run(second_pending := [*everything(second)])
        assert len(second_pending) == COUNT

    within(30, run())
    assert [len(teacher.calls) for teacher in teachers] == [2 * COUNT, 0]
    result: Checkpoint | None = open_workspace(folder).groundings.store.load("0000")
    assert result is not None and result.provenance["model"] == "new"


def test_replaced_results_are_brought_back_and_the_newer_ones_kept(folder: Path) -> None:
    annotate(ordered(folder), RuleTeacher(name="new"))
    for expected in ("rule", "new"):
        workspace = open_workspace(folder)
        found = list(restorable(workspace, BOTH, ["0002"]))
        assert [(one.sample_id, one.step) for one in found] == [("0002", step) for step in BOTH]
        assert restore(workspace, found) == 2
        assert made_by(folder)[2] == made_by(folder, Step.EXTRACTION)[2] == expected
        assert list(everything(open_workspace(folder))) == []


def test_what_was_made_since_a_moment_is_set_aside_and_can_be_brought_back(folder: Path) -> None:
    workspace = open_workspace(folder)
    middle = workspace.groundings.store.load(workspace.samples.ids[3])
    assert middle is not None
    for sample_id in workspace.samples.ids:
        # a copy, in which all files are young
        workspace.groundings.store.path(sample_id).touch()
    workspace = open_workspace(folder)
    settings = middle.settings_fingerprint
    failure = SampleFailure(Reason.COORDINATES, "in doubt")
    times = [(middle.made_ns, time.time_ns())]
    others = {Step.EXTRACTION: settings, Step.GROUNDING: "others"}
    assert list(set_aside(workspace, others, times, failure)) == []
    aside = list(set_aside(workspace, dict.fromkeys(BOTH, settings), times, failure))
    assert 0 < len(aside) < COUNT and middle.sample_id not in aside
    workspace = open_workspace(folder)
    assert [(p.sample_id, p.steps) for p in everything(workspace)] == [
        (one, (Step.GROUNDING,)) for one in aside
    ]
    roll_up(workspace)
    failed = json_lines(folder / "results" / "failures.jsonl")
    assert [(row["sample_id"], row["reason"]) for row in failed] == [(one, "coordinates") for one in aside]
    found = list(restorable(workspace, BOTH, aside))
    assert restore(workspace, found) == len(aside)
    assert list(everything(open_workspace(folder))) == []

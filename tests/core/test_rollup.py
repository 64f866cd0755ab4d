"""The rollups: input order, everything passed through, each file whole, in memory that does not grow with it."""

import multiprocessing
import os
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grounding_assets.core.dataset.not_rolled_up import not_rolled_up
from grounding_assets.core.dataset.published import publish_annotations
from grounding_assets.core.dataset.rollup import write_failures, write_step_annotations
from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.errors import InputError, Reason, SampleFailure
from grounding_assets.core.files import to_json
from grounding_assets.core.records import Expression, GroundingStatus, Instance
from grounding_assets.core.steps import Step
from grounding_assets.core.store.checkpoint import Checkpoint
from grounding_assets.core.store.fingerprint import grounding_fingerprint
from tests.core.workspaces import (
    RuleTeacher,
    annotate,
    json_lines,
    open_workspace,
    picture_rows,
    roll_up,
    write_input,
    write_picture,
)
from tests.formats import check_results


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five samples on seven lines, with fields of their own; both steps done, nothing rolled up."""
    rows = picture_rows(tmp_path, 5)
    rows[0] |= {"image_id": 0, "width": 640, "height": 480.0}
    rows[1] |= {"image_id": "one", "split": "train", "nested": {"a": [1, None, 0.1]}, "caption_de": "é\u2028"}
    rows[2] |= {"source": "mine", "expressions": "none", "provenance": 5}
    rows[3] |= {"image_id": ""}
    repeated = {**rows[1], "image_id": "uno", "split": "test"}
    write_input(tmp_path / "input.jsonl", [rows[4], repeated, b"{", *rows[:4], {**rows[0], "width": 5}])
    annotate(open_workspace(tmp_path))
    return tmp_path


def test_lines_stand_in_input_order_with_their_own_fields(folder: Path) -> None:
    roll_up(open_workspace(folder))
    accounts = check_results(folder / "results", folder / "input.jsonl", image_root=folder)
    assert (accounts.lines, accounts.annotated, accounts.rejected) == (7, 5, 1)
    lines = json_lines(folder / "results" / "annotations.jsonl")
    assert [line["image_id"] for line in lines] == ["0004", "uno", 0, "one", "0002", "0003", 0]
    assert [line.get("split") for line in lines] == [None, "test", None, "train", None, None, None]
    assert [line["sample_id"] for line in lines] == ["0004", "uno", "0", "uno", "0002", "0003", "0"]
    assert {(line["width"], line["height"]) for line in lines} == {(64, 48)}, "of the image, not as declared"
    assert lines[2]["provenance"]["step_1"]["declared_size"] == [640, 480]
    assert lines[3]["nested"] == {"a": [1, None, 0.1]} and lines[3]["caption_de"] == "é\u2028"
    assert lines[4]["source"] == "image_grounding"


def test_counts_are_of_samples_and_lines_of_lines(folder: Path) -> None:
    counts = write_step_annotations(open_workspace(folder), Step.GROUNDING)
    # "a cat N near two dogs and a tree": cat, near, two, dogs, and, tree with 0, 1, 2, 0, 1, 2 boxes
    assert (counts.lines, counts.samples) == (7, 5)
    assert (counts.expressions, counts.instances, counts.expressions_without_box) == (30, 30, 10)
    assert write_step_annotations(open_workspace(folder), Step.EXTRACTION).instances == 0


def test_only_current_results_are_written(folder: Path) -> None:
    workspace = open_workspace(folder)
    stale = workspace.extractions.store.load("0002")
    assert stale is not None
    workspace.extractions.store.save(replace(stale, fingerprint="of another caption"))
    workspace.groundings.store.path("0003").unlink()
    roll_up(open_workspace(folder))
    accounts = check_results(folder / "results", folder / "input.jsonl", stopped=True)
    assert (accounts.lines, accounts.annotated, accounts.pending) == (5, 3, 2)


def test_a_checkpoint_spoilt_since_is_left_out_and_pending(folder: Path) -> None:
    workspace = open_workspace(folder)
    for step, name in ((Step.GROUNDING, "0002"), (Step.EXTRACTION, "0003")):
        path = workspace.step(step).store.path(name)
        path.write_bytes(path.read_bytes()[:-9])
    counts = write_step_annotations(workspace, Step.GROUNDING)
    assert counts.samples == 3
    assert write_failures(workspace, [Step.EXTRACTION, Step.GROUNDING]).pending == 2


@pytest.mark.parametrize("write", [write_step_annotations, lambda w, step: roll_up(w)], ids=["step", "all"])
def test_an_input_changed_under_the_run_leaves_the_old_file(folder: Path, write: Callable[..., Any]) -> None:
    roll_up(open_workspace(folder))
    annotations = folder / "results" / "step_1_grounding" / "annotations.jsonl"
    before = annotations.read_bytes()
    rows = (folder / "input.jsonl").read_bytes().splitlines()
    (folder / "0001.png").write_bytes((folder / "0001.png").read_bytes())
    workspace = open_workspace(folder)
    workspace.groundings.store.path("0004").unlink()
    workspace.groundings.index.refresh()
    write_input(folder / "input.jsonl", [rows[0], rows[1], *rows[3:]])
    with pytest.raises(InputError, match="was changed while the run was reading it"):
        write(workspace, Step.GROUNDING)
    assert annotations.read_bytes() == before
    assert not [path for path in (folder / "results").rglob("*.partial") if path.is_file()]


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(folder: Path) -> None:
    roll_up(open_workspace(folder))
    annotations = folder / "results" / "step_1_grounding" / "annotations.jsonl"
    before = annotations.read_bytes()
    workspace = open_workspace(folder)
    workspace.groundings.store.path("0004").unlink()
    workspace.groundings.index.refresh()
    with annotations.open("rb") as reader:
        write_step_annotations(workspace, Step.GROUNDING)
        assert reader.read() == before
        assert os.fstat(reader.fileno()).st_ino != annotations.stat().st_ino
    assert annotations.read_bytes() != before


def test_a_rollup_of_the_same_results_changes_nothing(folder: Path) -> None:
    roll_up(open_workspace(folder))
    files = [*(folder / "results").glob("*/annotations.jsonl"), folder / "results" / "annotations.jsonl"]
    before = [path.read_bytes() for path in files]
    counts = write_step_annotations(open_workspace(folder), Step.GROUNDING)
    roll_up(open_workspace(folder))
    assert [path.read_bytes() for path in files] == before
    assert (counts.lines, counts.samples, counts.expressions) == (7, 5, 30)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(path.read_bytes()[:100]),
        lambda path: path.unlink(),
        lambda path: path.write_bytes(path.read_bytes().replace(b"cat", b"cow")),
    ],
    ids=["cut", "deleted", "edited"],
)
def test_an_output_that_was_spoilt_is_written_again(folder: Path, spoil: Callable[[Path], Any]) -> None:
    roll_up(open_workspace(folder))
    for name in ("step_1_grounding/annotations.jsonl", "annotations.jsonl"):
        spoil(folder / "results" / name)
    roll_up(open_workspace(folder))
    assert check_results(folder / "results", folder / "input.jsonl").annotated == 5


def test_failures_stand_in_input_order_with_reason_and_step(folder: Path) -> None:
    rows = [row for row in (folder / "input.jsonl").read_bytes().splitlines() if row != b"{"]
    new = [
        {"image_path": "0000.png", "caption": caption, "image_id": 7}
        for caption in ("b dog", "a dog", "c dog")
    ]
    write_input(folder / "input.jsonl", [new[0], *rows, new[1], new[2], new[1]])
    for row in new[:2]:
        write_picture(folder / row["image_path"])
    reasons = {("0", "b dog"): Reason.REFUSED, ("1", "a dog"): Reason.COORDINATES}

    def trouble(step: str, caption: str) -> Exception | None:
        reason = reasons.get((step, caption))
        return None if reason is None else SampleFailure(reason, f"{reason} it was.", attempts=3)

    workspace = open_workspace(folder)
    annotate(workspace, RuleTeacher(trouble))
    workspace.groundings.store.path("7~" + workspace.samples.ids[-1].split("~")[1]).unlink()
    workspace.groundings.index.refresh()
    roll_up(workspace)
    accounts = check_results(folder / "results", folder / "input.jsonl", stopped=True)
    assert (accounts.failed, accounts.pending) == (2, 1)
    failures = json_lines(folder / "results" / "failures.jsonl")
    assert [(row["caption"], row["step"], row["reason"]) for row in failures] == [
        ("b dog", "0", "refused"),
        ("a dog", "1", "coordinates"),
    ]
    assert {row["image_id"] for row in failures} == {7} and {row["attempts"] for row in failures} == {3}
    counts = write_failures(workspace, [Step.EXTRACTION, Step.GROUNDING])
    assert (counts.failed, counts.pending, dict(counts.by_reason)) == (2, 1, {"refused": 1, "coordinates": 1})


def test_a_failure_of_an_earlier_input_is_pending(folder: Path) -> None:
    workspace = open_workspace(folder)
    workspace.groundings.store.path("0004").unlink()
    workspace.groundings.store.save_failure("0004", "of another caption", SampleFailure(Reason.TIMEOUT, "x"))
    counts = write_failures(open_workspace(folder), [Step.EXTRACTION, Step.GROUNDING])
    assert (counts.failed, counts.pending) == (0, 1)


def test_memory_does_not_grow_with_the_output(tmp_path: Path) -> None:
    """500 samples, over 8 MB of output; the index of the samples is there before and is not counted."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        # in a process of its own: tracemalloc counts what the threads of other tests hold, too
        lines, peak = process.submit(_rollup_peak, tmp_path, 500).result()
    assert lines == 500
    assert (tmp_path / "results/step_1_grounding/annotations.jsonl").stat().st_size > 8 << 20
    assert peak < 4 << 20


def _rollup_peak(folder: Path, count: int) -> tuple[int, int]:
    """Lines written, and the bytes that were held at most while they were."""
    workspace = _results_on_disk(folder, count)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    counts = write_step_annotations(workspace, Step.GROUNDING)
    publish_annotations(workspace, Step.GROUNDING)
    return counts.lines, tracemalloc.get_traced_memory()[1] - before


def _results_on_disk(folder: Path, count: int) -> Workspace:
    """Both steps of `count` samples, written straight to their places."""
    rows = [{"image_path": f"{i:05d}.png", "caption": f"a cat {i} and two dogs"} for i in range(count)]
    write_input(folder / "input.jsonl", rows)
    workspace = open_workspace(folder)
    found = Expression("cat", (2, 5), "cat")
    boxed = replace(
        found, instances=(Instance((1, 2, 30, 40), 0.5, "model"),) * 3, grounding_status=GroundingStatus.BOXED
    )
    provenance = {"backend": "rule", "model": "rule", "note": "x" * 8000}
    for sample_id, entry in workspace.samples.entries.items():
        sample = workspace.samples.read(sample_id)
        between = grounding_fingerprint(sample, sample.caption, [found])
        first = Checkpoint(
            sample_id, entry.fingerprint, between, "", sample.caption, (found,), (64, 48), provenance, ()
        )
        second = replace(first, fingerprint=between, output_fingerprint="", expressions=(boxed,))
        for step, checkpoint in ((Step.EXTRACTION, first), (Step.GROUNDING, second)):
            workspace.step(step).store.path(sample_id).write_bytes(to_json(checkpoint.to_json()))
    return workspace.refresh()


def test_results_that_no_file_shows_yet_are_counted(folder: Path) -> None:
    results = folder / "results"
    annotations, stored = results / "annotations.jsonl", results / "step_1_grounding" / ".ckpt"
    assert not_rolled_up(results) == 0, "there is no file yet, which readers of it say"
    roll_up(open_workspace(folder))
    assert not_rolled_up(results) == 0
    os.utime(annotations, (0, 0))
    assert not_rolled_up(results) == 0, "as in a copied folder, where times say nothing"
    (stored / "tao.json").write_bytes(b"{}")
    assert not_rolled_up(results) == 1
    with annotations.open("ab") as lines:
        lines.write(b'{"image_id": "tao"}\n')
    os.utime(annotations, (0, 0))
    assert not_rolled_up(results) == 0, "TAO's lines have no sample_id"
    (stored / "tao.json").unlink()
    write_input(folder / "input.jsonl", [{**row, "caption": "A dog."} for row in picture_rows(folder, 3)])
    annotate(open_workspace(folder))
    assert not_rolled_up(results) == 3
    roll_up(open_workspace(folder))
    assert not_rolled_up(results) == 0

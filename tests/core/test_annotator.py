"""The map over samples: how many at a time, what a failure costs, and how it ends early."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grounding_assets.core.annotation.annotator import GRACE_S
from grounding_assets.core.errors import InputError, Interrupted, Reason, RunStopped, SampleFailure
from grounding_assets.core.records import Expression, Extraction, Grounding
from grounding_assets.core.steps import Step
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
)
from tests.formats import check_results


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_input(tmp_path / "input.jsonl", picture_rows(tmp_path, 12))
    return tmp_path


def test_every_sample_goes_through_both_steps(folder: Path) -> None:
    workspace, teacher = open_workspace(folder), RuleTeacher()
    outcomes = annotate(workspace, teacher)
    assert sorted(outcomes.done_steps) == [(name, step) for name in workspace.samples.ids for step in BOTH]
    assert outcomes.started_ids == workspace.samples.ids
    assert sorted(outcomes.finished_ids) == workspace.samples.ids
    assert len(teacher.prepared) == 12, "an image is prepared once, not once a step"
    roll_up(workspace)
    assert check_results(folder / "results", folder / "input.jsonl", image_root=folder).annotated == 12
    again = RuleTeacher()
    assert annotate(open_workspace(folder), again).started_ids == [] and again.calls == []


@pytest.mark.parametrize("workers", [1, 3, 12])
def test_as_many_samples_are_in_flight_as_there_are_workers(folder: Path, workers: int) -> None:
    """Each call waits until `workers` calls have arrived, so that fewer would wait for ever."""

    async def run() -> RuleTeacher:
        barrier = asyncio.Barrier(workers)
        teacher = RuleTeacher(before_answer=lambda step, text: barrier.wait())
        workspace = open_workspace(folder)
        await annotator(workspace, teacher, Outcomes(), max_workers=workers).run(everything(workspace))
        return teacher

    teacher = within(20, run())
    assert teacher.most_in_flight == workers and len(teacher.calls) == 24


class OneAtATime(RuleTeacher):
    """Has room for one request; the others wait, as behind `resources.vlm.pacer`."""

    @property
    def in_flight_limit(self) -> int | None:
        return 1


def test_a_teacher_that_limits_its_requests_finds_the_next_samples_ready(folder: Path) -> None:
    """While one request is in flight, two samples more than there are workers have been read, and no third."""

    async def run() -> list[int]:
        turn, ready = asyncio.Semaphore(1), []
        workspace = open_workspace(folder)

        async def answer(step: str, text: str) -> None:
            async with turn:
                while len(teacher.prepared) < min(12, len(outcomes.finished_ids) + 3):
                    await asyncio.sleep(0.001)
                ready.append(len(teacher.prepared) - len(outcomes.finished_ids))

        teacher, outcomes = OneAtATime(before_answer=answer), Outcomes()
        await annotator(workspace, teacher, outcomes, max_workers=1).run(everything(workspace))
        return ready

    ready = within(20, run())
    assert max(ready) == 3 and len(ready) == 24


def test_a_sample_does_not_wait_for_the_others(folder: Path) -> None:
    async def run() -> Outcomes:
        workspace, outcomes, others_done = open_workspace(folder), Outcomes(), asyncio.Event()

        async def first_waits(step: str, text: str) -> None:
            if text == caption(0) and step == "0":
                await others_done.wait()

        async def watch() -> None:
            while len(outcomes.done_steps) < 22:
                await asyncio.sleep(0)
            others_done.set()

        teacher = RuleTeacher(before_answer=first_waits)
        await asyncio.gather(annotator(workspace, teacher, outcomes).run(everything(workspace)), watch())
        return outcomes

    assert within(20, run()).done_steps[-2:] == [("0000", "0"), ("0000", "1")]


def test_a_failure_is_a_row_and_is_tried_again(folder: Path) -> None:
    (folder / "0003.png").unlink()
    (folder / "0004.png").write_bytes(b"no image")
    troubles = {
        ("0", caption(1)): SampleFailure(Reason.UNPARSABLE, "No JSON.", replies=["huh?"], attempts=2),
        ("1", caption(2)): SampleFailure(Reason.TIMEOUT, "No reply.", attempts=8),
    }
    workspace = open_workspace(folder)
    outcomes = annotate(workspace, RuleTeacher(lambda step, text: troubles.get((step, text))))
    assert {key: failure.reason for key, failure in outcomes.failures.items()} == {
        ("0001", "0"): Reason.UNPARSABLE,
        ("0002", "1"): Reason.TIMEOUT,
        ("0003", "0"): Reason.IMAGE_MISSING,
        ("0004", "0"): Reason.IMAGE_UNREADABLE,
    }
    roll_up(workspace)
    accounts = check_results(folder / "results", folder / "input.jsonl")
    assert (accounts.annotated, accounts.failed) == (8, 4)
    stored = workspace.extractions.store.load_failure("0001")
    assert stored is not None and (stored["replies"], stored["attempts"]) == (["huh?"], 2)

    picture_rows(folder, 5)
    workspace, teacher = open_workspace(folder), RuleTeacher()
    annotate(workspace, teacher)
    assert sorted(teacher.calls) == [
        *(("0", caption(i)) for i in (1, 3, 4)),
        *(("1", caption(i)) for i in (1, 2, 3, 4)),
    ]
    roll_up(workspace)
    assert check_results(folder / "results", folder / "input.jsonl").annotated == 12


def test_a_run_that_cannot_go_on_leaves_the_rest_pending(folder: Path) -> None:
    def trouble(step: str, text: str) -> Exception | None:
        return RunStopped("Wrong key.") if text == caption(5) else None

    workspace, outcomes = open_workspace(folder), Outcomes()
    with pytest.raises(RunStopped, match="Wrong key"):
        within(
            20, annotator(workspace, RuleTeacher(trouble), outcomes, max_workers=2).run(everything(workspace))
        )
    assert outcomes.failures == {} and len(outcomes.started_ids) < 12
    done = {name for name, step in outcomes.done_steps if step == "1"}
    assert {"0000", "0001", "0002", "0003"} <= done and "0005" not in done
    roll_up(workspace)
    accounts = check_results(folder / "results", folder / "input.jsonl", stopped=True)
    assert (accounts.annotated, accounts.failed, accounts.pending) == (len(done), 0, 12 - len(done))
    assert {one.sample_id for one in everything(open_workspace(folder))} == set(workspace.samples.ids) - done


def test_a_stop_finishes_the_calls_in_flight_and_sends_no_more(folder: Path) -> None:
    async def run() -> tuple[RuleTeacher, Outcomes]:
        workspace, outcomes, released = open_workspace(folder), Outcomes(), asyncio.Event()

        async def stop_at_the_fourth(step: str, text: str) -> None:
            if len(teacher.calls) == 4:
                worker.stop(Interrupted(2))
                worker.stop(Interrupted(15))
                released.set()
            await released.wait()

        teacher = RuleTeacher(before_answer=stop_at_the_fourth)
        worker = annotator(workspace, teacher, outcomes)
        with pytest.raises(Interrupted) as caught:
            await worker.run(everything(workspace))
        assert caught.value.exit_code == 130, "the first reason counts"
        return teacher, outcomes

    teacher, outcomes = within(20, run())
    assert sorted(teacher.calls) == [("0", caption(i)) for i in range(4)]
    assert sorted(outcomes.done_steps) == [(f"{i:04d}", "0") for i in range(4)]
    assert sorted(outcomes.finished_ids) == [f"{i:04d}" for i in range(4)]
    assert outcomes.failures == {}


def test_what_hangs_is_dropped_when_the_grace_time_is_over(folder: Path) -> None:
    assert GRACE_S <= 10

    async def run() -> float:
        workspace, outcomes = open_workspace(folder), Outcomes()

        async def hang(step: str, text: str) -> None:
            if len(teacher.calls) == 4:
                worker.stop(Interrupted(15))
            await asyncio.Event().wait()

        teacher = RuleTeacher(before_answer=hang)
        worker = annotator(workspace, teacher, outcomes, grace_s=0.5)
        began = time.monotonic()
        with pytest.raises(Interrupted):
            await worker.run(everything(workspace))
        assert teacher.in_flight == 0 and outcomes.done_steps == [] and outcomes.failures == {}
        assert len(outcomes.finished_ids) == 4
        return time.monotonic() - began

    assert 0.5 <= within(20, run()) < 3


def test_a_cancelled_run_keeps_what_is_finished(folder: Path) -> None:
    async def run() -> Outcomes:
        workspace, outcomes = open_workspace(folder), Outcomes()

        async def cancel_late(step: str, text: str) -> None:
            if text == caption(9):
                running.cancel()
                await asyncio.Event().wait()

        teacher = RuleTeacher(before_answer=cancel_late)
        work = annotator(workspace, teacher, outcomes, max_workers=2).run(everything(workspace))
        running = asyncio.create_task(work)
        with pytest.raises(asyncio.CancelledError):
            await running
        return outcomes

    done = {name for name, step in within(20, run()).done_steps if step == "1"}
    assert len(done) >= 8
    assert {one.sample_id for one in everything(open_workspace(folder))}.isdisjoint(done)


def test_an_unexpected_error_is_not_swallowed(folder: Path) -> None:
    def trouble(step: str, text: str) -> Exception | None:
        return ZeroDivisionError("a bug") if text == caption(3) else None

    workspace = open_workspace(folder)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        within(20, annotator(workspace, RuleTeacher(trouble), Outcomes()).run(everything(workspace)))


class Forgetful(RuleTeacher):
    async def ground(self, image: Any, cleaned_caption: str, expressions: Any) -> Grounding:
        return await super().ground(image, cleaned_caption, expressions[1:])


class Misquoting(RuleTeacher):
    async def extract(self, image: Any, caption: str) -> Extraction:
        result = await super().extract(image, caption)
        return replace(result, expressions=(Expression("dog", (0, 3), "dog"),))


@pytest.mark.parametrize(("teacher", "words"), [(Forgetful(), "in order"), (Misquoting(), "char_span")])
def test_a_teacher_that_breaks_its_promise_is_stopped(folder: Path, teacher: RuleTeacher, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        annotate(open_workspace(folder), teacher)


def test_an_input_changed_under_the_run_ends_it(folder: Path) -> None:
    def trouble(step: str, text: str) -> Exception | None:
        if text == caption(2):
            rows = json_lines(folder / "input.jsonl")
            write_input(folder / "input.jsonl", [{**row, "caption": "changed"} for row in rows])
        return None

    workspace = open_workspace(folder)
    with pytest.raises(InputError, match="was changed"):
        annotate(workspace, RuleTeacher(trouble), max_workers=1)
    assert workspace.is_done("0002", Step.GROUNDING) and not workspace.is_done("0003", Step.EXTRACTION)


def test_half_a_surrogate_pair_in_a_reply_is_kept(folder: Path) -> None:
    class Cut(RuleTeacher):
        async def extract(self, image: Any, caption: str) -> Extraction:
            return replace(await super().extract(image, caption), replies=("cut \ud83d",))

    workspace = open_workspace(folder)
    annotate(workspace, Cut())
    stored = open_workspace(folder).extractions.store.load("0000")
    assert stored is not None and stored.replies == ("cut \ud83d",)

"""A run that is killed with -9 loses what was in flight and nothing else."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.doors.project import make_project
from tests.endurance.pictures import Pictures
from tests.endurance.runs import generate
from tests.endurance.soak import Records, soak


@pytest.mark.parametrize("capped", [False, True], ids=["", "under a cap"])
def test_killed_at_random_moments(tmp_path: Path, pictures: Pictures, calm: Records, capped: bool) -> None:
    figures = soak(tmp_path, pictures, calm, kills=4, share_of_faults=0.15, capped=capped)
    assert sorted(figures.done_at_kill) == figures.done_at_kill
    assert 0 < figures.done_at_kill[-1] < figures.samples, "the kills must fall into the run"
    assert len(figures.by_fault) > 8, "of all kinds"


def test_what_a_killed_process_was_writing_is_cleared_away_in_time(
    tmp_path: Path, pictures: Pictures
) -> None:
    project = make_project(tmp_path, "{backend: local}", image_root=pictures.folder)
    project.write_input(pictures.rows[:1])
    killed = os.spawnlp(os.P_NOWAIT, "sleep", "sleep", "60")
    os.kill(killed, signal.SIGKILL)
    os.waitpid(killed, 0)
    folders = [
        project.results,
        *(project.results / f"step_{s}" for s in ("0_expression_extraction", "1_grounding")),
    ]
    folders += [folder / name for folder in folders[1:] for name in (".ckpt", ".failed")]
    old, fresh = [], []
    for folder in folders:
        folder.mkdir(parents=True)
        for kind, made in (("old", old), ("fresh", fresh)):
            made.append(folder / f".{kind}.json.{killed}-00000000.partial")
            made[-1].write_bytes(b"{")
        two_hours_ago = time.time() - 7200
        os.utime(old[-1], (two_hours_ago, two_hours_ago))
    assert generate(project).code == 0
    assert [file for file in old if file.exists()] == []
    assert all(file.exists() for file in fresh), "another machine's process may be writing them"
    assert len(project.lines()) == 1

"""Killed at any moment of a batch life, nothing is paid for twice and nothing is lost."""

from pathlib import Path

from tests.batch.kills import live


def test_killed_at_random_moments(tmp_path: Path) -> None:
    life = live(tmp_path, kills=5, samples=20)
    assert life.lines == life.samples
    assert life.materialized == (life.samples, life.samples), "Dagster's status is that of the files"
    assert life.paid_most == life.jobs_of_one_id == 1
    assert life.counted == life.run and life.lost == 0

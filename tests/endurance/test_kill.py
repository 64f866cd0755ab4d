"""A run that is killed with -9 loses what was in flight and nothing else."""

from pathlib import Path

from tests.endurance.pictures import Pictures
from tests.endurance.soak import Records, soak


def test_killed_at_random_moments(tmp_path: Path, pictures: Pictures, calm: Records) -> None:
    figures = soak(tmp_path, pictures, calm, kills=4)
    assert sorted(figures.done_at_kill) == figures.done_at_kill
    assert 0 < figures.done_at_kill[-1] < figures.samples, "the kills must fall into the run"

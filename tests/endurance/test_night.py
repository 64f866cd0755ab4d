"""Each trouble of a night at a run of its own, shortened; `make night` lets them last."""

from pathlib import Path

import pytest

from tests.endurance.night import PASSING, passes, stops
from tests.endurance.pictures import Pictures
from tests.endurance.soak import Records


@pytest.mark.parametrize("name", PASSING)
def test_a_trouble_that_passes_is_waited_for(
    tmp_path: Path, pictures: Pictures, calm: Records, name: str
) -> None:
    passes(tmp_path, pictures, calm, PASSING[name], hold_s=1)


def test_a_quota_that_is_used_up_stops_the_run_and_fails_no_sample(
    tmp_path: Path, pictures: Pictures, calm: Records
) -> None:
    stops(tmp_path, pictures, calm)

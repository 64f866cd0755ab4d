"""What the endurance tests share: one set of pictures and what comes of them on a calm day."""

import pytest

from tests.endurance.pictures import Pictures, make_pictures
from tests.endurance.soak import Records, calm_run


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    """160 samples over 8 pictures."""
    return make_pictures(tmp_path_factory.mktemp("pictures"), 160)


@pytest.fixture(scope="session")
def calm(tmp_path_factory: pytest.TempPathFactory, pictures: Pictures) -> Records:
    """The right results."""
    return calm_run(tmp_path_factory.mktemp("calm") / "project", pictures)

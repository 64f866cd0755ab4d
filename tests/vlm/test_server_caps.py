"""Servers that resize pictures: boxes are right on photos of any size, or the run stops before the first sample."""

from collections.abc import Sequence

import pytest

from tests.corpus import needs_corpus
from tests.endpoints.disobedient import MODELS
from tests.family_table import Photo, photos, tried

pytestmark = needs_corpus("coco24")
SERVERS = (
    "qwen28:200704",
    "pixels:401408",
    "qwen32:401408",
    "qwen28:2000000",
    "longest:500",
    "longest:1024",
    "shortest:500",
)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Photo]:
    """Two photos, each of them as it is, large, and turned by EXIF."""
    return photos(tmp_path_factory.mktemp("photos"))[:6]


@pytest.mark.parametrize("model", ["qwen2_5-vl", "nobody"])
@pytest.mark.parametrize("server", SERVERS)
def test_boxes_are_right_whatever_the_server_does_to_pictures(
    shown: Sequence[Photo], model: str, server: str
) -> None:
    row = tried(MODELS[f"{model}@{server}"], shown)
    assert row.outcome == "boxes", row.detail

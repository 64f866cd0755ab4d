"""Servers that resize pictures: boxes are right on photos of any size, or the run stops before the first sample."""

from pathlib import Path

import pytest

from tests.corpus import needs_corpus
from tests.endpoints.disobedient import MODELS
from tests.family_table import photos, tried

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


@pytest.mark.parametrize("model", ["qwen2_5-vl", "nobody"])
@pytest.mark.parametrize("server", SERVERS)
def test_boxes_are_right_whatever_the_server_does_to_pictures(
    tmp_path: Path, model: str, server: str
) -> None:
    row = tried(MODELS[f"{model}@{server}"], photos(tmp_path)[:6])
    assert row.outcome == "boxes", row.detail

"""The progress of shards, as it is shown."""

import pytest

from grounding_assets.cli.shards.display import ShardsDisplay


def test_a_shard_that_is_told_of_again_counts_once(capsys: pytest.CaptureFixture[str]) -> None:
    with ShardsDisplay(2, 8) as display:
        for key in ("00000", "00001", "00000"):
            display.ended(key, 4)
    assert "2 of 2 shards complete, 8 of 8 samples done" in capsys.readouterr().err

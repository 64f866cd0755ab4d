"""`python -m tests.endpoints` where it cannot start."""

import os
import subprocess
import sys
from pathlib import Path

from tests.corpus import PROJECT


def test_without_photos_it_says_in_one_line_what_to_do(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.endpoints", "vllm"],
        cwd=PROJECT,
        env={**os.environ, "GROUNDING_CORPUS": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1 and ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert "set GROUNDING_CORPUS, or add --cheap" in line

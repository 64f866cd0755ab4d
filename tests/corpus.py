"""Where the shared photos, captions and replies lie; tests that need them are skipped by name without them."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parent.parent
CORPUS = Path(os.environ.get("GROUNDING_CORPUS", PROJECT.parent / "shared" / "data"))


def needs_corpus(part: str) -> pytest.MarkDecorator:
    """Skips a test, naming the folder, where that part of the corpus is absent."""
    return pytest.mark.skipif(not (CORPUS / part).exists(), reason=absent(part))


def absent(part: str) -> str:
    """Why a test is skipped."""
    return f"{part} not found under {CORPUS}; set GROUNDING_CORPUS"


def coco24_gold() -> list[dict[str, Any]]:
    """The 24 photos' rows: file, size, five captions, human boxes, derived phrases."""
    with (CORPUS / "coco24" / "gold.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]

"""What the results that lie in a folder took, by their provenance."""

import json
from pathlib import Path
from typing import Any

from grounding_assets.core.budget.cost import Usage
from grounding_assets.core.budget.ledger import Spent, is_count
from grounding_assets.core.steps import Step

_COUNTS = ("calls", "tokens_in", "tokens_out", "tokens_cached")


def stored_usage(results_dir: Path, has_verifier: bool) -> Spent:
    """What the results in a folder took, retired and failed ones included."""
    teacher = verifier = Usage()
    for step in Step:
        for pattern in (".ckpt/*.json", ".failed/*.json", ".retired/*/*.json", ".redone/*.json"):
            for path in (results_dir / step.folder).glob(pattern):
                taken = usage_of(_loaded(path.read_bytes()))
                if step is Step.VERIFICATION and has_verifier:
                    verifier += taken
                else:
                    teacher += taken
    return Spent(teacher, verifier)


def usage_of(stored: Any) -> Usage:
    """What one stored result or failure took; what is tried again was sent, too."""
    if not isinstance(stored, dict) or not isinstance(provenance := stored.get("provenance"), dict):
        return Usage()
    counts = [provenance.get(name, 0) for name in _COUNTS]
    calls, *tokens = counts if all(map(is_count, counts)) else (0, 0, 0, 0)
    attempts = provenance.get("attempts", 0)
    return Usage(max(calls, attempts if is_count(attempts) else 0), *tokens)


def _loaded(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None

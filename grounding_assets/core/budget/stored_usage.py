"""What the results that lie in a folder took, by their provenance."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from grounding_assets.core.budget.cost import Usage
from grounding_assets.core.budget.ledger import Spent
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
    usage = _usage(provenance)
    attempts = provenance.get("attempts", 0)
    return replace(usage, calls=max(usage.calls, attempts if _is_count(attempts) else 0))


def _usage(row: Any) -> Usage:
    counts = [row.get(name, 0) for name in _COUNTS] if isinstance(row, dict) else []
    return Usage(*counts) if all(map(_is_count, counts)) else Usage()


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _loaded(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None

"""What a data set's calls have taken so far, remembered call by call, and the account that holds caps on it.

The arithmetic of money, projections and caps is `cost`.
"""

import json
import os
from pathlib import Path
from typing import Any

from grounding_assets.core.cost import Budget, Price, Usage
from grounding_assets.core.files import stopping_if_unwritable, to_json
from grounding_assets.core.spec import Spec
from grounding_assets.core.workspace import STEP_FOLDERS

CALLS = "calls.jsonl"
_COUNTS = ("calls", "tokens_in", "tokens_out")


def price_of(spec: Spec) -> Price | None:
    """What the model costs; None where the spec does not say."""
    price = spec.vlm.price
    if not price.input_per_million and not price.output_per_million:
        return None
    return Price(price.input_per_million, price.output_per_million, price.currency)


class CallLog:
    """`calls.jsonl`: a line for each call of a data set, whatever came of it.

    A folder that has results and no such file begins with one line for what they took. Lines are appended
    whole, so that several processes can share the file and a killed one loses nothing that it was told.
    """

    def __init__(self, results_dir: Path):
        self._file = results_dir / CALLS
        self._results_dir = results_dir

    def begin(self) -> None:
        """Makes the file where there is none yet."""
        if not self._file.exists():
            self.add(stored_usage(self._results_dir))

    def total(self) -> Usage:
        """Of all lines; one that was cut short by a full disk counts as nothing."""
        if not self._file.exists():
            return stored_usage(self._results_dir)
        total = Usage()
        with self._file.open("rb") as stream:
            for line in stream:
                total += _usage(_loaded(line))
        return total

    def add(self, usage: Usage) -> None:
        """Remembers one call, or several at once.

        Raises:
            RunStopped: the file cannot be written; nothing may be spent that is not counted.
        """
        row = {name: getattr(usage, name) for name in _COUNTS}
        with stopping_if_unwritable(self._file):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            # in one write, so that the lines of two processes do not mix
            descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                os.write(descriptor, to_json(row) + b"\n")
            finally:
                os.close(descriptor)


class Account:
    """Asked before every call and told after it."""

    def __init__(self, log: CallLog, budget: Budget):
        self._log, self._budget = log, budget

    def reserve(self) -> None:
        """Makes room for one call; raises `BudgetReached` where a cap leaves none."""
        self._budget.reserve()

    def settle(self, usage: Usage) -> None:
        """Books what a reserved call took."""
        self._budget.settle(usage)
        self._log.add(usage)


def open_account(spec: Spec, results_dir: Path) -> Account:
    """The account of a data set. Caps hold for the set: what all its runs so far took counts against them."""
    log = CallLog(results_dir)
    log.begin()
    workflow = spec.workflow
    budget = Budget(
        max_cost=workflow.max_cost or None,
        max_tokens=workflow.max_tokens or None,
        max_calls=workflow.max_calls or None,
        price=price_of(spec),
        spent=log.total(),
    )
    return Account(log, budget)


def stored_usage(results_dir: Path) -> Usage:
    """What the results in a folder took, retired and failed ones included."""
    total = Usage()
    for step in STEP_FOLDERS.values():
        for pattern in (".ckpt/*.json", ".failed/*.json", ".retired/*/*.json"):
            for path in (results_dir / step).glob(pattern):
                total += usage_of(_loaded(path.read_bytes()))
    return total


def usage_of(stored: Any) -> Usage:
    """What one stored result or failure took; what is tried again was sent, too."""
    if not isinstance(stored, dict) or not isinstance(provenance := stored.get("provenance"), dict):
        return Usage()
    usage = _usage(provenance)
    attempts = provenance.get("attempts", 0)
    return Usage(max(usage.calls, attempts if _is_count(attempts) else 0), usage.tokens_in, usage.tokens_out)


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

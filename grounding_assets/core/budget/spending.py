"""What a data set's calls have taken so far, remembered call by call, and the account that holds caps on it.

The arithmetic of money, projections and caps is `cost`.
"""

import json
import os
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grounding_assets.core.budget.cost import Budget, Price, Usage
from grounding_assets.core.dataset.workspace import STEP_FOLDERS
from grounding_assets.core.errors import SpecError
from grounding_assets.core.files import stopping_if_unwritable, to_json
from grounding_assets.core.spec.model_settings import PriceSpec
from grounding_assets.core.spec.settings import Spec

CALLS = "calls.jsonl"
_COUNTS = ("calls", "tokens_in", "tokens_out")


OF_VERIFIER = "vlm_verifier"
"""What `model` holds in the line of a call to a verifier of its own; other lines have no such field."""


@dataclass(frozen=True, slots=True)
class Prices:
    """What the models of a data set cost, in one currency; None where the spec does not say."""

    teacher: Price | None
    verifier: Price | None
    """Of a verifier of its own."""
    has_verifier: bool
    """Whether step 2 asks a verifier of its own, instead of the model of the other steps."""
    teacher_is_free: bool = False
    """Whether the other steps' model is the embedded one."""

    @classmethod
    def of(cls, spec: Spec) -> "Prices":
        verifier = spec.image_grounding.vlm_verifier
        teacher_is_free = spec.vlm.backend == "local"
        return cls(
            _known(spec.vlm.price), _known(verifier.price), verifier.backend != "same", teacher_is_free
        )

    @property
    def currency(self) -> str | None:
        """None where there is nothing to tell in money: a verifier's price says little where the teacher's is not known."""
        price = self.teacher or (self.verifier if self.teacher_is_free else None)
        return price.currency if price else None

    def lacks_verifier(self, steps: Sequence[str]) -> bool:
        """Whether these steps ask a verifier of its own whose price is not known."""
        return "2" in steps and self.has_verifier and self.verifier is None

    def of_step(self, step: str) -> Price | None:
        """Of the model that the step asks."""
        return self.verifier if step == "2" and self.has_verifier else self.teacher


def _known(price: PriceSpec) -> Price | None:
    if not price.is_known:
        return None
    return Price(price.input_per_million, price.output_per_million, price.currency)


@dataclass(frozen=True, slots=True)
class Spent:
    """What a data set has taken, by the model that was paid."""

    teacher: Usage
    verifier: Usage
    """Of a verifier of its own."""

    def total(self, prices: Prices) -> Usage:
        """With its cost at these prices; a model without one costs 0 in it."""
        return self.teacher.priced(prices.teacher) + self.verifier.priced(prices.verifier)

    def has_unpriced_verifier(self, prices: Prices) -> bool:
        """Whether tokens of a verifier are in it whose price is not known."""
        return prices.verifier is None and bool(self.verifier.tokens_in + self.verifier.tokens_out)


class CallLog:
    """`calls.jsonl`: a line for each call of a data set, whatever came of it.

    A folder that has results and no such file begins with one line for what they took. Lines are appended
    whole, so that several processes can share the file and a killed one loses nothing that it was told.
    """

    def __init__(self, results_dir: Path, *, has_verifier: bool):
        """`has_verifier`, see `Prices`, tells who made the results of a folder that has no such file."""
        self._file = results_dir / CALLS
        self._results_dir = results_dir
        self._has_verifier = has_verifier
        self._descriptor = -1

    def begin(self) -> None:
        """Makes the file where there is none yet."""
        if not self._file.exists():
            spent = stored_usage(self._results_dir, self._has_verifier)
            self.add(spent.teacher)
            if spent.verifier.calls:
                self.add(spent.verifier, OF_VERIFIER)

    def total(self) -> Spent:
        """Of all lines; one that was cut short by a full disk counts as nothing."""
        if not self._file.exists():
            return stored_usage(self._results_dir, self._has_verifier)
        teacher = verifier = Usage()
        with self._file.open("rb") as stream:
            for row in map(_loaded, stream):
                if isinstance(row, dict) and row.get("model") == OF_VERIFIER:
                    verifier += _usage(row)
                else:
                    teacher += _usage(row)
        return Spent(teacher, verifier)

    def add(self, usage: Usage, model: str = "") -> None:
        """Remembers one call, or several at once, to the model of the annotating steps or to `OF_VERIFIER`.

        Raises:
            RunStopped: the file cannot be written; nothing may be spent that is not counted.
        """
        row = {name: getattr(usage, name) for name in _COUNTS} | ({"model": model} if model else {})
        with stopping_if_unwritable(self._file):
            if self._descriptor < 0:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
                self._descriptor = os.open(self._file, flags, 0o666)
                # kept open, since this is called from the event loop
                weakref.finalize(self, os.close, self._descriptor)
            # in one write, so that the lines of two processes do not mix
            os.write(self._descriptor, to_json(row) + b"\n")


class Account:
    """Asked before every call to one of the models, and told after it."""

    def __init__(self, log: CallLog, budget: Budget, prices: Prices, model: str = ""):
        """`model` is "" or `OF_VERIFIER`, as in the log."""
        self._log, self._budget, self._prices, self._model = log, budget, prices, model

    def of_verifier(self) -> "Account":
        """The same caps and the same log, for calls to a verifier of its own."""
        return Account(self._log, self._budget, self._prices, OF_VERIFIER)

    def reserve(self) -> None:
        """Makes room for one call; raises `BudgetReached` where a cap leaves none."""
        self._budget.reserve()

    def settle(self, usage: Usage) -> None:
        """Books what a reserved call took."""
        prices = self._prices
        self._budget.settle(usage.priced(prices.verifier if self._model else prices.teacher))
        self._log.add(usage, self._model)


def open_account(spec: Spec, results_dir: Path) -> Account:
    """The account of a data set. Caps hold for the set: what all its runs so far took counts against them.

    Raises:
        SpecError: a cap in money, and an earlier run asked a verifier whose price is not known.
    """
    prices, workflow = Prices.of(spec), spec.workflow
    log = CallLog(results_dir, has_verifier=prices.has_verifier)
    log.begin()
    spent = log.total()
    if workflow.max_cost and spent.has_unpriced_verifier(prices):
        raise SpecError(
            "workflow.max_cost needs image_grounding.vlm_verifier.price: earlier runs of this data set took "
            f"{spent.verifier.tokens_in + spent.verifier.tokens_out:,} tokens of a verifier of its own."
        )
    budget = Budget(
        max_cost=workflow.max_cost or None,
        max_tokens=workflow.max_tokens or None,
        max_calls=workflow.max_calls or None,
        spent=spent.total(prices),
    )
    return Account(log, budget, prices)


def stored_usage(results_dir: Path, has_verifier: bool) -> Spent:
    """What the results in a folder took, retired and failed ones included."""
    teacher = verifier = Usage()
    for step, folder in STEP_FOLDERS.items():
        for pattern in (".ckpt/*.json", ".failed/*.json", ".retired/*/*.json"):
            for path in (results_dir / folder).glob(pattern):
                taken = usage_of(_loaded(path.read_bytes()))
                if step == "2" and has_verifier:
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

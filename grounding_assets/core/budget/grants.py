"""One budget for machines that cannot append to one file: the caps are cut into grants.

A run takes a grant before it books, and gives back what is left of it at its end. Both are entries of a list in which each place
is taken once, by whoever creates it first; so whoever adds an entry knows all before it, and the sum of all never
passes a cap. The grants of a run that was killed stay spent, in full: what it booked after its last push nobody knows.
"""

import asyncio
import json
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from grounding_assets.core.budget.account import BudgetReached, Intent
from grounding_assets.core.budget.call_file import FileAccount
from grounding_assets.core.errors import InputError
from grounding_assets.core.files import to_json
from grounding_assets.core.shards.place import GrantList
from grounding_assets.core.spec.settings import Spec, WorkflowSpec

_SHARES = 100
"""A grant is at least this part of a cap; a killed run leaves one or two of them spent."""
_LEAST_CALLS = 8
"""Of a small cap: so that taking grants is not most of the work."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """Of calls, of tokens in and out together, and of money in the currency of the prices."""

    calls: int = 0
    tokens: int = 0
    cost: float = 0.0

    def __add__(self, other: "Amounts") -> "Amounts":
        return Amounts(self.calls + other.calls, self.tokens + other.tokens, self.cost + other.cost)

    def __sub__(self, other: "Amounts") -> "Amounts":
        return Amounts(self.calls - other.calls, self.tokens - other.tokens, self.cost - other.cost)


class Grants:
    """The grants of a data set, as one run sees them. Not thread-safe."""

    def __init__(self, entries: GrantList, workflow: WorkflowSpec):
        """`workflow`: its caps; 0 means none."""
        self._entries = entries
        self._caps = Amounts(workflow.max_calls, workflow.max_tokens, workflow.max_cost)
        self._token = secrets.token_hex(8)
        self._place = 0
        self._given = Amounts()

    def take(self) -> Amounts:
        """A share of each cap that there is, or what is left of it.

        Raises:
            BudgetReached: nothing is left of one of them.
            InputError: an entry is damaged.
        """
        while True:
            self._read_on()
            wanted = self._share()
            if self._add(wanted):
                return wanted

    def give_back(self, left: Amounts) -> None:
        """What a run did not use; less than nothing where a reply took more than was projected."""
        while left != Amounts():
            self._read_on()
            if self._add(Amounts() - left):
                return

    def _share(self) -> Amounts:
        caps, given = self._caps, self._given
        for name in ("calls", "tokens", "cost"):
            cap, taken = getattr(caps, name), getattr(given, name)
            if cap and taken >= cap:
                raise BudgetReached(
                    f"workflow.max_{name}={cap:,} leaves no room for another call: all of it is spent, or granted to other runs. "
                    "What is not done stays pending; raise the cap, or run again when the others have given back what is left."
                )
        return Amounts(
            min(max(caps.calls // _SHARES, _LEAST_CALLS), caps.calls - given.calls) if caps.calls else 0,
            min(max(caps.tokens // _SHARES, 1), caps.tokens - given.tokens) if caps.tokens else 0,
            min(caps.cost / _SHARES, caps.cost - given.cost) if caps.cost else 0.0,
        )

    def _add(self, amounts: Amounts) -> bool:
        row = {**asdict(amounts), "by": self._token, "so_far": asdict(self._given + amounts)}
        return self._entries.create(f"{self._place:06d}", to_json(row) + b"\n")

    def _read(self, place: int) -> bytes | None:
        return self._entries.read(f"{place:06d}")

    def _read_on(self) -> None:
        """Goes on to the last entry, in as many reads as its number has binary digits, twice: each tells the sum of all."""
        entry, last, step = self._read(self._place), self._place, 1
        if entry is None:
            return
        while (later := self._read(last + step)) is not None:
            entry, last, step = later, last + step, 2 * step
        while step > 1:
            step //= 2
            if (later := self._read(last + step)) is not None:
                entry, last = later, last + step
        try:
            row = json.loads(entry)["so_far"]
            self._given = Amounts(int(row["calls"]), int(row["tokens"]), float(row["cost"]))
        except (ValueError, TypeError, KeyError):
            raise InputError(
                f"Grant {last} of this data set's budget is damaged. Put it back from a copy: without it nobody knows "
                "what is spent."
            ) from None
        self._place = last + 1


class GrantedAccount(FileAccount):
    """An account of one run, whose caps are what it was granted so far."""

    def __init__(self, results_dir: Path, spec: Spec, notice: Callable[[str], None], grants: Grants):
        """Takes a first grant. Raises as `FileAccount`, and `BudgetReached` if there is none."""
        self._grants, self._taking = grants, asyncio.Lock()
        self._granted = grants.take()
        self._refusal: BudgetReached | None = None
        """Once there is no other grant."""
        super().__init__(results_dir, spec, notice)
        self._begun_with = self._taken()
        self._widen()

    async def book_as(self, booking: str, intent: Intent) -> None:
        while True:
            allowed = self._granted
            try:
                return await super().book_as(booking, intent)
            except BudgetReached:
                async with self._taking:
                    if self._refusal is None and self._granted == allowed:
                        await self._take_another()
                if self._refusal is not None:
                    raise self._refusal from None

    async def _take_another(self) -> None:
        try:
            self._granted += await asyncio.to_thread(self._grants.take)
        except BudgetReached as refusal:
            self._refusal = refusal
        else:
            self._widen()

    def close(self) -> None:
        """Gives back what is left, too."""
        self._read()
        left = self._granted - (self._taken() - self._begun_with)
        super().close()
        self._grants.give_back(left)

    def _widen(self) -> None:
        allowed = self._begun_with + self._granted
        caps = {
            name: getattr(allowed, name.removeprefix("max_"))
            for name in ("max_calls", "max_tokens", "max_cost")
            if getattr(self._workflow, name)
        }
        self._workflow = self._workflow.model_copy(update=caps)

    def _taken(self) -> Amounts:
        """All that was booked, at what it took where that is known, else at most."""
        spent = self._ledger.spent(with_open=True).total(self._prices)
        return Amounts(spent.calls, spent.tokens, spent.cost)

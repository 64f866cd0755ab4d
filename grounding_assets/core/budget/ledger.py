"""What the lines of `calls.jsonl` come to: what is spent, what is in flight, and whether a cap has room.

Pure: rows go in by their order in the file, which is the same for all who read it, and so is what they come to.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from grounding_assets.core.budget.account import OF_BATCH, OF_TEACHER, OF_VERIFIER, Intent
from grounding_assets.core.budget.cost import Usage
from grounding_assets.core.budget.prices import Prices
from grounding_assets.core.spec.settings import WorkflowSpec

_MODELS: tuple[str, ...] = (OF_TEACHER, OF_VERIFIER, OF_BATCH)
_COUNTS = ("calls", "tokens_in", "tokens_out", "tokens_cached", "projected")


@dataclass(frozen=True, slots=True)
class Spent:
    """What a data set has taken, by the model that was paid."""

    teacher: Usage
    verifier: Usage
    """Of a verifier of its own."""
    batch: Usage = field(default_factory=Usage)
    """Of the teacher's model, by batch."""

    def total(self, prices: Prices) -> Usage:
        """With its cost at these prices; a model without one costs 0 in it."""
        ordinary = self.teacher.priced(prices.teacher) + self.verifier.priced(prices.verifier)
        return ordinary + self.batch.priced(prices.batch)

    def has_unpriced_verifier(self, prices: Prices) -> bool:
        """Whether tokens of a verifier are in it whose price is not known."""
        return prices.verifier is None and bool(self.verifier.tokens)


class Ledger:
    """The account as far as its lines have been read."""

    def __init__(self) -> None:
        self._settled = {model: _Tally() for model in _MODELS}
        self._dearest_in = dict.fromkeys(_MODELS, 0)
        self._open: dict[str, Intent] = {}
        self._in_flight = _Tally()
        self._lost: dict[str, Intent] = {}
        self._lost_in_all = {model: _Tally() for model in _MODELS}

    def read(self, row: Any) -> None:
        """Takes over one line; what is none of the account's counts as nothing."""
        if not isinstance(row, dict):
            return
        counts = [row.get(name, 0) for name in _COUNTS]
        if not all(map(is_count, counts)):
            return
        named = row.get("model")
        model = named if named in _MODELS else OF_TEACHER
        if isinstance(booking := row.get("booked"), str):
            self._book(booking, Intent(counts[1], counts[2], model))
            return
        if isinstance(booking := row.get("settled"), str):
            model = self._close(booking, model)
        self._settled[model].add(*counts)
        calls, projected = counts[0], counts[4]
        # a projection says nothing on what projections leave out
        if calls == 1 and not projected:
            self._dearest_in[model] = max(self._dearest_in[model], counts[1])

    def at_most(self, intent: Intent) -> Intent:
        """The intent, with as many tokens in as the dearest call reported so far: a projection may be too low for a model."""
        dearest = self._dearest_in[intent.model]
        return intent if intent.tokens_in >= dearest else replace(intent, tokens_in=dearest)

    def _book(self, booking: str, intent: Intent) -> None:
        self._open[booking] = intent
        self._in_flight.add(1, intent.tokens_in, intent.tokens_out)

    def _close(self, booking: str, model: str) -> str:
        """Counts a booking no more; returns whose it was, and `model` if no such booking is known."""
        if intent := self._open.pop(booking, None):
            self._in_flight.add(-1, -intent.tokens_in, -intent.tokens_out)
            return intent.model
        if intent := self._lost.pop(booking, None):
            # another process settles what its own left open
            self._lost_in_all[intent.model].add(*(-count for count in _most(intent)))
            return intent.model
        return model

    def owners(self) -> set[str]:
        """Of the bookings that are not settled; see `owner`."""
        return {owner(booking) for booking in self._open}

    def open_of(self, who: str) -> dict[str, Intent]:
        """This owner's bookings that are not settled, lost ones included, by name."""
        open_ = {**self._open, **self._lost}
        return {booking: intent for booking, intent in open_.items() if owner(booking) == who}

    def lose(self, owners: set[str]) -> None:
        """Counts the open bookings of processes that have ended as spent, at the most that they can have taken."""
        for booking in [name for name in self._open if owner(name) in owners]:
            intent = self._open[booking]
            self._close(booking, intent.model)
            self._lost[booking] = intent
            self._lost_in_all[intent.model].add(*_most(intent))

    def spent(self, *, with_open: bool = False) -> Spent:
        """All but what is in flight, or with that, at the most that it can take."""
        taken = {model: self._settled[model].usage() + self._lost_in_all[model].usage() for model in _MODELS}
        for intent in self._open.values() if with_open else ():
            taken[intent.model] += Usage(*_most(intent))
        return Spent(taken[OF_TEACHER], taken[OF_VERIFIER], taken[OF_BATCH])

    def lost(self) -> int:
        """Calls whose process ended before it could say what became of them."""
        return len(self._lost)

    def reached(self, workflow: WorkflowSpec, prices: Prices, beside: Intent | None = None) -> str | None:
        """The cap that has no room for all that is booked, and for `beside` if it is given; None: all have.

        What a call in flight will take is not known: it counts with the mean of those that are settled, and until
        there are any with the tokens that are projected to go in.
        """
        in_flight = self._in_flight.calls + (beside is not None)
        settled = sum(tally.calls for tally in self._settled.values())
        sent = self._in_flight.tokens_in + (beside.tokens_in if beside else 0)
        for name, cap, measure in (
            ("max_calls", workflow.max_calls, _calls),
            ("max_tokens", workflow.max_tokens, _tokens),
            ("max_cost", workflow.max_cost, prices.cost),
        ):
            if not cap:
                continue
            known = measure(self._settled)
            taken = known + measure(self._lost_in_all)
            mean = known / settled if settled else measure({OF_TEACHER: Usage(in_flight, sent)}) / in_flight
            if taken >= cap or taken + in_flight * mean > cap:
                others = in_flight - 1
                return (
                    f"workflow.{name}={cap:,} leaves no room for another call: {taken:,.6g} spent, {others:,} "
                    "calls in flight. What is not done stays pending; raise the cap to go on."
                )
        return None

    def to_row(self) -> dict[str, Any]:
        """All of it in one line, so that those before it need not be read again."""
        open_ = {**self._open, **self._lost}
        return {
            "summed": {model: tally.counts() for model, tally in self._settled.items()},
            "dearest_in": self._dearest_in,
            "open": {name: [i.tokens_in, i.tokens_out, 1, i.model] for name, i in open_.items()},
        }

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> "Ledger":
        """The reverse of `to_row`; who has ended is not known yet."""
        ledger = cls()
        for model, counts in row["summed"].items():
            ledger._settled[model].add(*counts)
        ledger._dearest_in.update(row["dearest_in"])
        for booking, (tokens_in, tokens_out, _, model) in row["open"].items():
            ledger._book(booking, Intent(tokens_in, tokens_out, model))
        return ledger


def _calls(tallies: Mapping[str, "_Tally | Usage"]) -> int:
    return sum(tally.calls for tally in tallies.values())


def _tokens(tallies: Mapping[str, "_Tally | Usage"]) -> int:
    return sum(tally.tokens_in + tally.tokens_out for tally in tallies.values())


class _Tally:
    """A `Usage` that is added to in place: there are two lines for each call."""

    __slots__ = _COUNTS

    def __init__(self) -> None:
        self.calls = self.tokens_in = self.tokens_out = self.tokens_cached = self.projected = 0

    def add(
        self, calls: int, tokens_in: int, tokens_out: int, tokens_cached: int = 0, projected: int = 0
    ) -> None:
        self.calls += calls
        self.tokens_in += tokens_in
        self.tokens_out += tokens_out
        self.tokens_cached += tokens_cached
        self.projected += projected

    def counts(self) -> list[int]:
        return [self.calls, self.tokens_in, self.tokens_out, self.tokens_cached, self.projected]

    def usage(self) -> Usage:
        return Usage(*self.counts())


def _most(intent: Intent) -> tuple[int, ...]:
    """What counts if nobody knows how it ended; see `_COUNTS`."""
    return 1, intent.tokens_in, intent.tokens_out, 0, 1


def owner(booking: str) -> str:
    """The process that booked: what stands before the colon of a booking's name."""
    return booking.partition(":")[0]


def booked_row(booking: str, intent: Intent) -> dict[str, Any]:
    row = {"booked": booking, "calls": 1, "tokens_in": intent.tokens_in, "tokens_out": intent.tokens_out}
    return row | ({"model": intent.model} if intent.model else {})


def settled_row(usage: Usage, booking: str = "", model: str = OF_TEACHER) -> dict[str, Any]:
    """What was taken; without a booking, before anything was booked."""
    row: dict[str, Any] = {"settled": booking} if booking else {}
    row |= {"calls": usage.calls, "tokens_in": usage.tokens_in, "tokens_out": usage.tokens_out}
    row |= {name: getattr(usage, name) for name in ("tokens_cached", "projected") if getattr(usage, name)}
    return row | ({"model": model} if model else {})


def is_count(value: Any) -> bool:
    return type(value) is int and value >= 0

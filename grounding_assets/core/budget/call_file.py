"""`calls.jsonl`: the account of a data set, shared by the processes of one machine.

A call is booked by appending a line and then reading what stands before it. Appends of several processes have one
order, all of them count the lines alike in that order, and so each knows by itself whether its booking is within
the caps. No lock is held, so a process that is killed or asleep holds up nobody.
"""

import itertools
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from grounding_assets.core.budget.account import OF_VERIFIER, BudgetReached, Intent
from grounding_assets.core.budget.call_lines import CallLines
from grounding_assets.core.budget.cost import Usage
from grounding_assets.core.budget.ledger import Ledger, booked_row, settled_row
from grounding_assets.core.budget.live_processes import Living
from grounding_assets.core.budget.prices import Prices
from grounding_assets.core.budget.stored_usage import stored_usage
from grounding_assets.core.errors import RunStopped, SpecError
from grounding_assets.core.files import make_folder, stopping_if_unwritable, sync_folder, to_json
from grounding_assets.core.shards.manifest import data_set_folder
from grounding_assets.core.spec.settings import Spec

CALLS = "calls.jsonl"


class FileAccount:
    """See `account.Account`. One at a time in a process and folder, see `Living`."""

    def __init__(self, results_dir: Path, spec: Spec, notice: Callable[[str], None]):
        """`notice` is told, once, that an endpoint does not report what a call took.

        Raises:
            SpecError: a cap in money, and an earlier run asked a verifier whose price is not known.
            RunStopped: the file cannot be read or written.
        """
        self._workflow, self._prices, self._notice = spec.workflow, Prices.of(spec), notice
        self._file = results_dir / CALLS
        self._numbers = itertools.count(1)
        with stopping_if_unwritable(self._file):
            begin(results_dir, self._prices.has_verifier)
            self._lines = CallLines(self._file)
            self._living = Living(results_dir)
            self._ledger = self._lines.summed_up()
        self._read()
        self._ledger.lose(self._living.ended(self._ledger.owners()))
        with stopping_if_unwritable(self._file):
            self._lines.sum_up(self._ledger)
        spent = self._ledger.spent()
        if self._workflow.max_cost and spent.has_unpriced_verifier(self._prices):
            self.close()
            raise SpecError(
                "workflow.max_cost needs image_grounding.vlm_verifier.price: earlier runs of this data set took "
                f"{spent.verifier.tokens:,} tokens of a verifier of its own."
            )

    async def book(self, intent: Intent) -> str:
        booking = f"{self._living.name}:{next(self._numbers)}"
        await self.book_as(booking, intent)
        return booking

    async def book_as(self, booking: str, intent: Intent) -> None:
        """Makes room as `book` does, under a name that another process can work out: `<job>:<number>` for a batch, which
        outlives the process that submits it. Raises as `book`.
        """
        if self._reached(intent):
            # another process may have settled something since
            self._read()
            if reached := self._reached(intent):
                raise BudgetReached(reached)
        self._append(booked_row(booking, self._ledger.at_most(intent)))
        if reached := self._read(booking):
            self._append(settled_row(Usage(), booking, intent.model))
            raise BudgetReached(reached)

    def open_of(self, job: str) -> dict[str, Intent]:
        """The job's bookings that are not settled; they count at what was projected."""
        self._read()
        return self._ledger.open_of(job)

    def settle(self, booking: str, usage: Usage) -> None:
        self._append(settled_row(usage, booking))
        if usage.projected:
            self._notice_once()

    def close(self) -> None:
        """Lets other processes know that nothing of what is open can still be settled."""
        # without a sum line the next start only takes longer
        with suppress(RunStopped, OSError):
            self._read()
            self._lines.sum_up(self._ledger)
        self._lines.close()
        self._living.close()

    def _reached(self, beside: Intent | None = None) -> str | None:
        return self._ledger.reached(self._workflow, self._prices, beside)

    def _append(self, row: dict[str, Any]) -> None:
        with stopping_if_unwritable(self._file):
            self._lines.append(row)

    def _read(self, booking: str = "") -> str | None:
        """Takes over the lines that are new, or those up to this booking; returns the cap that leaves no room for it there."""
        seen, reached = not booking, None
        with stopping_if_unwritable(self._file):
            for rows in self._lines.new():
                for row in rows:
                    self._ledger.read(row)
                    if not seen and row.get("booked") == booking:
                        seen, reached = True, self._reached()
                if booking and seen:
                    # what came after it can wait
                    break
        if not seen:
            raise RunStopped(
                f"{self._file} was changed while this run was writing it. Leave it alone; run again."
            )
        return reached

    def _notice_once(self) -> None:
        notice, self._notice = self._notice, lambda text: None
        workflow = self._workflow
        holds = (
            f"workflow.max_calls={workflow.max_calls:,} holds exactly."
            if workflow.max_calls
            else "set workflow.max_calls for a cap that holds exactly."
        )
        notice(
            "The endpoint reports no usable token counts. They are projected from the lengths of request and reply, so caps "
            f"in tokens and money hold roughly; {holds}"
        )


def begin(results_dir: Path, has_verifier: bool) -> None:
    """Makes the file if there is none yet; in a folder with results it begins with what they took."""
    file = results_dir / CALLS
    if file.exists():
        return
    rows = _taken_by_results(results_dir, has_verifier)
    make_folder(results_dir)
    try:
        # appends, as every process does: another may have booked a call since the file is there
        descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except FileExistsError:
        return
    try:
        os.write(descriptor, b"".join(to_json(row) + b"\n" for row in rows))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_folder(results_dir)


def _taken_by_results(results_dir: Path, has_verifier: bool) -> list[dict[str, Any]]:
    """What results without an account took, a row for each model that was asked."""
    stored = stored_usage(results_dir, has_verifier)
    rows = settled_row(stored.teacher), settled_row(stored.verifier, model=OF_VERIFIER)
    return [row for row in rows if row["calls"]]


def read_ledger(results_dir: Path, has_verifier: bool) -> Ledger:
    """The account as it stands; changes nothing."""
    results_dir = data_set_folder(results_dir)
    file = results_dir / CALLS
    if not file.exists():
        ledger = Ledger()
        for row in _taken_by_results(results_dir, has_verifier):
            ledger.read(row)
        return ledger
    lines = CallLines(file, read_only=True)
    ledger = lines.summed_up()
    for row in itertools.chain.from_iterable(lines.new()):
        ledger.read(row)
    lines.close()
    if owners := ledger.owners():
        living = Living(results_dir)
        ledger.lose(living.ended(owners))
        living.close()
    return ledger

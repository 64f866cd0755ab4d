"""What is to be made again although it is done: orders of `force_reprocess`, remembered until they are carried out.

An order exists on disk from its first new result on, so one that never got so far leaves no trace. It names
samples, steps and the settings to redo them with. A result carries the id of the order that it was made for;
an order is finished, and forgotten, when every result that it names carries its id.
"""

import json
import secrets
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from grounding_assets.core.errors import InputError
from grounding_assets.core.files import replacing, stopping_if_unwritable, to_json
from grounding_assets.core.steps import Step, in_order


@dataclass(frozen=True, slots=True)
class RedoOrder:
    order_id: str
    """16 hexadecimal digits."""
    given: str
    """When, in UTC."""
    settings: Mapping[Step, str]
    """By step to redo: digest of the settings to redo it with."""
    sample_ids: frozenset[str]
    phrases: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """By sample id: positions of the expressions to ask about in step 1, if not about all of them."""


class RedoOrders:
    """The open orders of a results folder."""

    def __init__(self, results_dir: Path, settings: Mapping[Step, str] | None = None):
        """`settings`: digest by step of those of this run; orders with others wait. None: every order is this run's."""
        self._folder = results_dir / ".redo"
        self._settings = settings
        self.open: list[RedoOrder] = []
        """The oldest first; a later one takes precedence."""
        self._unwritten: list[RedoOrder] = []
        self._writing = threading.Lock()

    def load(self) -> None:
        """Reads what is on disk.

        Raises:
            InputError: an order cannot be read; names the file.
        """
        found = []
        for file in self._folder.glob("*.json"):
            try:
                row = json.loads(file.read_bytes())
                settings = {step: str(row["settings"][step]) for step in in_order(row["settings"])}
                phrases = {
                    str(name): tuple(map(int, places)) for name, places in row.get("phrases", {}).items()
                }
                ids = frozenset(map(str, row["sample_ids"]))
                found.append(RedoOrder(file.stem, str(row["given"]), settings, ids, phrases))
            except FileNotFoundError:
                # finished by another run
                continue
            except (ValueError, KeyError, TypeError, AttributeError):
                raise InputError(f"{file} is damaged: delete it, then force the run again.") from None
        self.open = sorted(found, key=lambda order: (order.given, order.order_id))

    def give(
        self,
        sample_ids: Iterable[str],
        steps: Sequence[Step],
        phrases: Mapping[str, tuple[int, ...]] | None = None,
    ) -> None:
        """Orders these results to be redone with this run's settings, except where an open order says the same.

        `phrases`, see `RedoOrder`.
        """
        named = frozenset(
            sample_id for sample_id in sample_ids if not all(self.order_of(sample_id, step) for step in steps)
        )
        if named:
            own = self._settings or {}
            given = datetime.now(UTC).isoformat(timespec="microseconds")
            settings = {step: own.get(step, "") for step in steps}
            order = RedoOrder(secrets.token_hex(8), given, settings, named, phrases or {})
            self._unwritten.append(order)
            self.open.append(order)

    def order_of(self, sample_id: str, step: Step) -> RedoOrder | None:
        """The order that this run redoes the result for."""
        order = self.latest(sample_id, step)
        own = self._settings is None or order is None or self._settings.get(step) == order.settings[step]
        return order if own else None

    def latest(self, sample_id: str, step: Step) -> RedoOrder | None:
        """The last order that names the result, whatever its settings."""
        for order in reversed(self.open):
            if step in order.settings and sample_id in order.sample_ids:
                return order
        return None

    def write_down(self) -> None:
        """Makes orders durable; called before its first result is stored. Thread-safe.

        Raises:
            RunStopped: it cannot be written.
        """
        if not self._unwritten:
            return
        with self._writing:
            for order in tuple(self._unwritten):
                file = self._file(order)
                with stopping_if_unwritable(file), replacing(file) as stream:
                    row = {
                        "given": order.given,
                        "settings": dict(order.settings),
                        "sample_ids": sorted(order.sample_ids),
                        "phrases": {name: list(places) for name, places in sorted(order.phrases.items())},
                    }
                    stream.write(to_json(row))
            self._unwritten = []

    def close(self, finished: Iterable[RedoOrder]) -> None:
        """Forgets orders that are carried out."""
        for order in finished:
            with stopping_if_unwritable(self._file(order)):
                self._file(order).unlink(missing_ok=True)
            self.open.remove(order)
            self._unwritten = [other for other in self._unwritten if other is not order]

    def _file(self, order: RedoOrder) -> Path:
        return self._folder / f"{order.order_id}.json"

"""What was measured about endpoints, kept in the results folder."""

import calendar
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from grounding_assets.core.boxes.calibration import agree
from grounding_assets.core.files import locked, stopping_if_unwritable, to_json
from grounding_assets.core.shards.manifest import data_set_folder
from resources.vlm.kept_rows import KeptRows

FILE = "endpoint.json"
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
NOTICED_WITHIN_S = 600.0
"""In seconds: so long another model may answer a run until the run notices."""
_LARGEST = ("max_side_px", "max_short_side_px", "max_pixels")


@dataclass(frozen=True, slots=True)
class Measurement:
    """What the calibration cards told about an endpoint."""

    backend: str
    base_url: str
    model: str
    family: str
    """The family that was asked as."""
    asked_as: str
    """Digest of all that shaped the question: of another one the measurement says nothing."""
    convention: str | None
    """What the boxes were written in; None if nothing explains them."""
    reason: str
    boxes_came: bool
    """False if the model gave no box at all."""
    iou: Mapping[str, float]
    seen: tuple[tuple[int, int, int, int], ...] = ()
    """Of pixel answers: (width, height) of each card, as it was sent and as the model saw it."""
    sizes: Mapping[str, int] | None = None
    """Of pixel answers: the fields of `ImagePolicy` within which they were seen to be right; None where
    they never were, and for a grid, which knows no size."""
    seconds_per_call: float = 0.0
    structured_output: str = ""
    manners: Mapping[str, Any] = field(default_factory=dict)
    measured_at: str = ""
    confirmed_ns: int = 0
    """When a card was last asked whose boxes were right, in nanoseconds since 1970: what was stored before is right."""
    doubts: tuple[tuple[int, int], ...] = ()
    """(since, until) in nanoseconds since 1970: boxes that were stored between are in doubt, whoever stored them."""

    @property
    def endpoint(self) -> tuple[str, str, str]:
        return self.backend, self.base_url, self.model

    def agrees_with(self, earlier: "Measurement") -> bool:
        """Whether boxes that were read by the earlier one are right by this one."""
        if earlier.convention is None:
            return True
        if self.convention is None:
            return not self.boxes_came
        if not agree(self.convention, earlier.convention):
            return False
        if earlier.sizes is None:
            return True
        sizes = self.sizes or {}
        return all(sizes.get(name, 0) >= earlier.sizes[name] for name in _LARGEST)


class Measurements:
    """The measurements of a data set, one per (backend, base_url, model)."""

    def __init__(self, results_dir: Path):
        self._kept = KeptRows(results_dir, FILE, Measurement)
        self._folder = data_set_folder(results_dir)

    def find(self, backend: str, base_url: str, model: str) -> Measurement | None:
        return self._kept.find(backend, base_url, model)

    def keep(self, measured: Measurement) -> None:
        """Takes the place of what was measured before; if it contradicts that, what was made since the last right card is in doubt."""
        with self._alone():
            known = self.find(*measured.endpoint)
            if known is not None:
                doubts = [(since, min(until, measured.confirmed_ns)) for since, until in known.doubts]
                if not measured.agrees_with(known):
                    doubts.append((known.confirmed_ns, measured.confirmed_ns))
                # without a box nothing is confirmed either
                told = measured.convention is not None or known.convention is None
                right_until_ns = measured.confirmed_ns if told else known.confirmed_ns
                measured = replace(measured, doubts=tuple(doubts), confirmed_ns=right_until_ns)
            self._put(measured)

    def confirm(self, measured: Measurement, right_until_ns: int) -> bool:
        """A card was asked about then, and its boxes were right; returns whether no other run doubts that."""
        with self._alone():
            known = self.find(*measured.endpoint)
            if known is None:
                return True
            if not known.asked_as:
                return False
            if known.measured_at == measured.measured_at or known.agrees_with(measured):
                self._put(replace(known, confirmed_ns=max(known.confirmed_ns, right_until_ns)))
            return True

    def doubt(self, measured: Measurement, since_ns: int) -> None:
        """Boxes stored since then are in doubt, also those of runs that have yet to notice; the next run measures anew."""
        with self._alone():
            known = self.find(*measured.endpoint) or measured
            until = time.time_ns() + round(NOTICED_WITHIN_S * 1e9)
            asked_as = ""
            if known.measured_at != measured.measured_at:
                # what was measured anew meanwhile stands, and so does what was made by it
                until, asked_as = min(until, _end_of_measuring_ns(known)), known.asked_as
            self._put(replace(known, asked_as=asked_as, doubts=(*known.doubts, (since_ns, until))))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Other processes write to the file, too: shards have it in common."""
        with stopping_if_unwritable(self._folder), locked(self._folder, required=False):
            yield

    def _put(self, measured: Measurement) -> None:
        self._kept.keep(*measured.endpoint, measured)


def _end_of_measuring_ns(measured: Measurement) -> int:
    return calendar.timegm(time.strptime(measured.measured_at, TIME_FORMAT)) * 10**9


def merged(ours: bytes, theirs: bytes) -> bytes:
    """The file of two machines as one: ours, with the doubts and the confirmations of both."""
    try:
        rows, others = json.loads(ours), json.loads(theirs or b"{}")
    except ValueError:
        return ours
    for key in rows.keys() & others.keys():
        row, other = rows[key], others[key]
        if "doubts" in row and row.keys() == other.keys():
            row["doubts"] = sorted({tuple(doubt) for doubt in [*row["doubts"], *other["doubts"]]})
            row["confirmed_ns"] = max(row["confirmed_ns"], other["confirmed_ns"])
            if other["measured_at"] == row["measured_at"]:
                row["asked_as"] = row["asked_as"] and other["asked_as"]
    return to_json({**others, **rows})

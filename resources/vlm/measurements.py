"""What was measured about endpoints, kept in the results folder."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from grounding_assets.core.boxes.calibration import agree
from resources.vlm.kept_rows import KeptRows

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
        if self.convention is None or not agree(self.convention, earlier.convention):
            return False
        if earlier.sizes is None:
            return True
        sizes = self.sizes or {}
        return all(sizes.get(name, 0) >= earlier.sizes[name] for name in _LARGEST)


class Measurements:
    """The measurements of a data set, one per (backend, base_url, model)."""

    def __init__(self, results_dir: Path):
        self._kept = KeptRows(results_dir, "endpoint.json", Measurement)

    def find(self, backend: str, base_url: str, model: str) -> Measurement | None:
        return self._kept.find(backend, base_url, model)

    def keep(self, measured: Measurement) -> None:
        """Takes the place of what was measured before; if it contradicts that, what was made since the last right card is in doubt."""
        known = self.find(*measured.endpoint)
        if known is not None:
            doubts = [(since, min(until, measured.confirmed_ns)) for since, until in known.doubts]
            if not measured.agrees_with(known):
                doubts.append((known.confirmed_ns, measured.confirmed_ns))
            measured = replace(measured, doubts=tuple(doubts))
        self._put(measured)

    def confirm(self, measured: Measurement, right_until_ns: int) -> None:
        """A card was asked about then, and its boxes were right; not if it was measured anew meanwhile."""
        known = self.find(*measured.endpoint)
        if known is not None and known.measured_at == measured.measured_at:
            self._put(replace(known, confirmed_ns=max(known.confirmed_ns, right_until_ns)))

    def doubt(self, measured: Measurement, since_ns: int) -> None:
        """Boxes stored since then are in doubt, also those of runs that have yet to notice; the next run measures anew."""
        known = self.find(*measured.endpoint) or measured
        until = time.time_ns() + round(NOTICED_WITHIN_S * 1e9)
        self._put(replace(known, asked_as="", doubts=(*known.doubts, (since_ns, until))))

    def _put(self, measured: Measurement) -> None:
        self._kept.keep(*measured.endpoint, measured)

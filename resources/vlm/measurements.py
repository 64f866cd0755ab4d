"""What was measured about endpoints, kept in the results folder."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from resources.vlm.kept_rows import KeptRows


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


class Measurements:
    """The measurements of a data set, one per (backend, base_url, model)."""

    def __init__(self, results_dir: Path):
        self._kept = KeptRows(results_dir, "endpoint.json", Measurement)

    def find(self, backend: str, base_url: str, model: str) -> Measurement | None:
        return self._kept.find(backend, base_url, model)

    def keep(self, measurement: Measurement) -> None:
        self._kept.keep(measurement.backend, measurement.base_url, measurement.model, measurement)

    def forget(self, backend: str, base_url: str, model: str) -> None:
        self._kept.forget(backend, base_url, model)

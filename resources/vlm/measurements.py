"""What was measured about endpoints, kept in the results folder."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from grounding_assets.core.files import replacing, to_json
from grounding_assets.core.shards.manifest import data_set_folder


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


class Measurements:
    """The measurements of a data set, one per (backend, base_url, model)."""

    def __init__(self, results_dir: Path):
        self._file = data_set_folder(results_dir) / "endpoint.json"

    def find(self, backend: str, base_url: str, model: str) -> Measurement | None:
        row = self._rows().get(_key(backend, base_url, model))
        return None if row is None else Measurement(**row)

    def keep(self, measurement: Measurement) -> None:
        rows = self._rows()
        rows[_key(measurement.backend, measurement.base_url, measurement.model)] = asdict(measurement)
        with replacing(self._file) as stream:
            stream.write(to_json(rows))

    def _rows(self) -> dict[str, Any]:
        """Empty if nothing usable is kept: then the endpoint is simply measured again."""
        try:
            rows = json.loads(self._file.read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        names = set(Measurement.__dataclass_fields__)
        usable = isinstance(rows, dict) and all(
            isinstance(row, dict) and row.keys() == names for row in rows.values()
        )
        return rows if usable else {}


def _key(backend: str, base_url: str, model: str) -> str:
    return "|".join((backend, base_url, model))

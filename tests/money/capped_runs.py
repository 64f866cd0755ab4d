"""Runs against a simulated endpoint under caps, with what the endpoint itself saw."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grounding_assets.core.annotation.annotator import Annotator
from grounding_assets.core.annotation.listener import Listener
from grounding_assets.core.errors import RunStopped, SampleFailure
from grounding_assets.core.spec.loading import validate_spec
from grounding_assets.core.spec.settings import Spec
from grounding_assets.core.store.checkpoint import Checkpoint
from resources.credentials import Credentials
from resources.dataset import DataSet
from tests.core.workspaces import picture_rows, write_input
from tests.endpoints.server import SimulatedEndpoint

_COUNTS = ("calls", "tokens_in", "tokens_out")
PRICE = {"input_per_million": 250.0, "output_per_million": 1000.0, "currency": "EUR"}


@dataclass
class Outcome:
    """What one run came to."""

    done: list[tuple[str, str]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    stopped_by: RunStopped | None = None
    pending: int = 0


class _Listener:
    def __init__(self, outcome: Outcome):
        self._outcome = outcome

    def started(self, sample_id: str) -> None: ...
    def finished(self, sample_id: str) -> None: ...
    def waiting(self, count: int) -> None: ...

    def done(self, checkpoint: Checkpoint, step: str) -> None:
        self._outcome.done.append((checkpoint.sample_id, step))

    def failed(self, sample_id: str, step: str, failure: SampleFailure) -> None:
        self._outcome.failed.append(sample_id)


def listener(outcome: Outcome) -> Listener:
    """Notes in `outcome` what a run comes to."""
    return _Listener(outcome)


def prepare_set(folder: Path, samples: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_input(folder / "input.jsonl", picture_rows(folder, samples))


def capped_spec(folder: Path, endpoint: SimulatedEndpoint, workers: int, caps: Mapping[str, Any]) -> Spec:
    settings = {
        "vlm": {
            "backend": "openai",
            "openai": {"base_url": endpoint.base_url, "model_name": endpoint.model},
            "measure": False,
            "price": PRICE,
        },
        "workflow": {"max_workers": workers, **caps},
        "data": {"input_jsonl": str(folder / "input.jsonl"), "image_root": str(folder)},
    }
    return validate_spec(
        {"results_dir": str(folder / "results"), "image_grounding": settings}, where="the test"
    )


def run(spec: Spec, endpoint: SimulatedEndpoint) -> Outcome:
    """One run over what is pending, in this process, over real HTTP."""
    dataset = DataSet(spec, Credentials(openai=endpoint.key))
    workspace = dataset.workspace()
    outcome = Outcome()

    async def work(teacher: Any) -> None:
        annotator = Annotator(workspace, teacher, listener(outcome), max_workers=spec.workflow.max_workers)
        await annotator.run(list(workspace.pending(workspace.samples.ids, spec.workflow.run_steps)))

    try:
        dataset.with_teacher(work, lambda text: None)
    except RunStopped as stop:
        outcome.stopped_by = stop
    outcome.pending = sum(1 for _ in workspace.pending(workspace.samples.ids, spec.workflow.run_steps))
    return outcome


def booked(folder: Path) -> list[dict[str, int]]:
    """What the calls of calls.jsonl took that were settled, without those for no call."""
    return [usage for _, usage in booked_by_model(folder)]


def booked_by_model(folder: Path) -> list[tuple[str, dict[str, int]]]:
    """The same, each with the model that was asked."""
    rows = [json.loads(line) for line in (folder / "results" / "calls.jsonl").read_text().splitlines()]
    models = {row["booked"]: row.get("model", "") for row in rows if "booked" in row}
    settled = [row for row in rows if "booked" not in row and row["calls"]]
    return [
        (models.get(row.get("settled"), row.get("model", "")), {name: row[name] for name in _COUNTS})
        for row in settled
    ]

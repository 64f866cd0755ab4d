"""Runs by batch against a simulated endpoint, in this process, over real HTTP and with the real SDKs."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from grounding_assets.core.annotation.annotator import Annotator
from grounding_assets.core.budget.call_file import read_ledger
from grounding_assets.core.dataset.rollup import write_outputs
from grounding_assets.core.errors import RunStopped
from grounding_assets.core.spec.loading import validate_spec
from grounding_assets.core.spec.settings import Spec
from resources.credentials import Credentials
from resources.dataset import DataSet
from tests.endpoints.server import SimulatedEndpoint
from tests.money.capped_runs import PRICE, Outcome, listener

PATIENCE_S = 120.0


def batch_spec(
    folder: Path,
    endpoint: SimulatedEndpoint,
    *,
    image_root: Path | None = None,
    mode: str = "on",
    batch: Mapping[str, Any] | None = None,
    workflow: Mapping[str, Any] | None = None,
    results: str = "results",
    measure: bool = False,
) -> Spec:
    """A spec that asks the endpoint by batch; `mode="off"` by ordinary calls."""
    if endpoint.kind.name == "gemini":
        model: dict[str, Any] = {
            "backend": "gemini",
            "gemini": {"base_url": endpoint.base_url, "model": endpoint.model},
        }
    else:
        openai = {"base_url": endpoint.base_url, "model_name": endpoint.model}
        model = {"backend": "openai", "openai": openai}
    settings = {
        "vlm": {**model, "measure": measure, "price": PRICE, "batch": {"mode": mode, **(batch or {})}},
        "workflow": {"max_workers": 4, **(workflow or {})},
        "data": {"input_jsonl": str(folder / "input.jsonl"), "image_root": str(image_root or folder)},
    }
    return validate_spec(
        {"results_dir": str(folder / results), "image_grounding": settings}, where="the test"
    )


def run(spec: Spec, endpoint: SimulatedEndpoint, notices: list[str] | None = None) -> Outcome:
    """One run over what is pending; its files are written."""
    dataset = DataSet(spec, Credentials(openai=endpoint.key, gemini=endpoint.key))
    workspace, outcome = dataset.workspace(), Outcome()
    told = notices if notices is not None else []
    steps = spec.workflow.run_steps

    if spec.workflow.force_reprocess:
        workspace.redo.give(workspace.samples.ids, steps)

    async def work(teacher: Any) -> None:
        pending = list(workspace.pending(workspace.samples.ids, steps))
        async with dataset.by_batch(teacher, told.append) as jobs:
            heard = jobs.heard_by(listener(outcome)) if jobs else listener(outcome)
            annotator = Annotator(workspace, teacher, heard, max_workers=spec.workflow.max_workers)
            await annotator.run(jobs.ordered(pending, workspace) if jobs else pending)

    try:
        dataset.with_teacher(work, told.append)
    except RunStopped as stop:
        outcome.stopped_by = stop
    outcome.pending = sum(1 for _ in workspace.pending(workspace.samples.ids, steps))
    write_outputs(workspace, steps, told.append)
    return outcome


def jobs_ended(endpoint: SimulatedEndpoint) -> None:
    """Returns once every job at the endpoint has ended."""
    assert endpoint.batch is not None
    deadline = time.monotonic() + PATIENCE_S
    while not all(job.ended for job in list(endpoint.batch.batches.jobs.values())):
        assert time.monotonic() < deadline, "a simulated job did not end"
        time.sleep(0.005)


def run_to_the_end(
    spec: Spec, endpoint: SimulatedEndpoint, notices: list[str] | None = None, most_runs: int = 8
) -> Sequence[Outcome]:
    """Runs until nothing is pending, or as often as that; each waits for the jobs of the one before."""
    outcomes: list[Outcome] = []
    while len(outcomes) < most_runs:
        outcomes.append(run(spec, endpoint, notices))
        if not outcomes[-1].pending:
            break
        jobs_ended(endpoint)
    return outcomes


def spent(folder: Path) -> dict[str, Any]:
    """What the account counts for batches."""
    batch = read_ledger(folder / "results", has_verifier=False).spent().batch
    return {name: getattr(batch, name) for name in ("calls", "tokens_in", "tokens_out", "projected")}


def job_files(folder: Path) -> list[dict[str, Any]]:
    """What is written down of each job."""
    return [json.loads(file.read_bytes()) for file in sorted(folder.glob("results/batch/*/job.json"))]

"""A run that is killed with -9 again and again, and what must be true of it at the end."""

import json
import random
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.doors.project import Project, endpoint_settings, make_project
from tests.endpoints.faults import Fault, Faults, Rule
from tests.endpoints.record import ReceivedRequest
from tests.endpoints.server import SimulatedEndpoint, running
from tests.endurance.pictures import Pictures
from tests.endurance.runs import generate, generating
from tests.endurance.status import STEP_FOLDERS, ids_on_disk, partitions_by_status, unfinished_runs

Records = Mapping[tuple[str, str], Mapping[str, Any]]
WORKERS = 16
THREE_PERCENT = Faults(
    (
        Rule(Fault.SERVER_ERROR, 0.01),
        Rule(Fault.RESET, 0.01),
        Rule(Fault.MALFORMED, 0.005),
        Rule(Fault.REFUSED, 0.005, step="0", same_every_attempt=True),
    ),
    seed=3,
)


@dataclass
class Figures:
    """What a soak came to."""

    samples: int
    kills: int
    needed: int
    """Calls of a calm run."""
    calls: int = 0
    faulted: int = 0
    """Calls that a fault hit, those that a kill cut off included."""
    lost: int = 0
    """Calls whose result was not on disk after a kill."""
    done_at_kill: list[int] = field(default_factory=list)
    seconds: float = 0.0


def results_of(project: Project) -> dict[tuple[str, str], dict[str, Any]]:
    """The annotated records by image and caption, without what two runs over the same input may differ in."""
    rows = project.lines()
    return {
        (row["image_path"], row["caption"]): {k: v for k, v in row.items() if k != "provenance"}
        for row in rows
    }


def calm_run(folder: Path, pictures: Pictures) -> Records:
    """What comes of the pictures when nothing goes wrong."""
    with running(SimulatedEndpoint("vllm", gold=pictures.gold)) as endpoint:
        project = make_project(folder, endpoint_settings(endpoint), image_root=pictures.folder)
        project.write_input(pictures.rows)
        ended = generate(project, f"image_grounding.workflow.max_workers={WORKERS}")
        assert ended.code == 0, ended.output
        assert len(about_samples(endpoint.requests)) == 2 * len(pictures.rows)
        return results_of(project)


def soak(folder: Path, pictures: Pictures, calm: Records, *, kills: int, seed: int = 1) -> Figures:
    """Kills a run `kills` times at random moments, lets the last one end, and checks all that must hold."""
    dice = random.Random(seed)
    figures = Figures(len(pictures.rows), kills, needed=2 * len(calm))
    began = time.monotonic()
    lost: Counter[tuple[str, str]] = Counter()
    with running(
        SimulatedEndpoint("vllm", gold=pictures.gold, faults=THREE_PERCENT, latency=0.02)
    ) as endpoint:
        project = make_project(folder, endpoint_settings(endpoint), image_root=pictures.folder)
        project.write_input(pictures.rows)
        workers = f"image_grounding.workflow.max_workers={WORKERS}"
        for _ in range(kills):
            before = len(endpoint.requests)
            mark = endpoint.recorder.total + dice.randint(1, figures.needed // kills)
            extra_s = dice.uniform(0, 0.05)
            with generating(project, workers) as run:
                run.until_or_end(lambda mark=mark: endpoint.recorder.total >= mark)
                time.sleep(extra_s)
                run.kill()
            endpoint_is_idle(endpoint)
            done = {step: captions_on_disk(project, step) for step in STEP_FOLDERS}
            asked = {(r.step, r.caption) for r in about_samples(endpoint.requests[before:]) if not r.fault}
            lost.update(key for key in asked if key[1] not in done[key[0]])
            figures.done_at_kill.append(len(done["1"]))
        ended = generate(project, workers)
        requests = about_samples(endpoint.requests)
        status = {asset: partitions_by_status(project, asset) for asset in ("expressions", "groundings")}

    refused = {r.caption for r in requests if r.fault == Fault.REFUSED}
    assert ended.code == bool(refused), ended.output
    assert results_of(project) == {key: row for key, row in calm.items() if key[1] not in refused}
    failures = project.lines("failures.jsonl")
    assert {row["caption"] for row in failures} == refused
    assert {row["reason"] for row in failures} <= {"refused"}

    whole = Counter((r.step, r.caption) for r in requests if not r.fault)
    again = {key: count for key, count in whole.items() if count > 1 + lost[key]}
    assert not again, "asked again although the result was on disk"
    figures.calls, figures.lost = len(requests), lost.total()
    figures.faulted = sum(bool(r.fault) for r in requests)
    assert figures.calls <= figures.needed + figures.faulted + figures.lost

    ids = {row["sample_id"] for row in project.lines("samples.jsonl")}
    for step, asset in (("0", "expressions"), ("1", "groundings")):
        stored = ids_on_disk(project, step)
        assert status[asset] == {"materialized": stored, "failed": ids - stored, "materializing": set()}
    assert unfinished_runs(project) == []
    figures.seconds = time.monotonic() - began
    return figures


def about_samples(requests: Iterable[ReceivedRequest]) -> list[ReceivedRequest]:
    """Without those about calibration cards."""
    return [request for request in requests if request.caption.startswith("Picture ")]


def endpoint_is_idle(endpoint: SimulatedEndpoint) -> None:
    """Returns when every request of a killed client is recorded."""
    deadline = time.monotonic() + 30
    while endpoint.recorder.in_flight:
        assert time.monotonic() < deadline, "the endpoint still serves a client that is dead"
        time.sleep(0.002)


def captions_on_disk(project: Project, step: str) -> set[str]:
    """Of the samples that have a checkpoint."""
    files = project.results.glob(f"{STEP_FOLDERS[step]}/.ckpt/*.json")
    return {json.loads(file.read_bytes())["record"]["cleaned_caption"] for file in files}

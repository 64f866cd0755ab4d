"""A storm of faults, and what must be true when it is over."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

from tests.doors.project import endpoint_settings, make_project
from tests.endpoints.faults import Fault, Faults, Rule
from tests.endpoints.server import SimulatedEndpoint, running
from tests.endurance.pictures import Pictures
from tests.endurance.runs import generate
from tests.endurance.soak import Records, about_samples, results_of
from tests.endurance.status import partitions_by_status

REFUSED = Rule(Fault.REFUSED, 0.02, step="0", same_every_attempt=True)
PASSING = {
    Fault.RATE_LIMITED: 0.15,
    Fault.RATE_LIMITED_SECONDS: 0.15,
    Fault.RESET: 0.05,
    Fault.HANG: 0.05,
    Fault.SERVER_ERROR: 0.05,
    Fault.MALFORMED: 0.05,
}
"""Share of all requests."""


@dataclass(frozen=True)
class Figures:
    """What a storm came to."""

    samples: int
    calls: int
    by_fault: dict[str, int]
    unparsable: int
    """Samples whose one more try at another temperature was spoiled, too."""
    runs: int
    most_in_flight: int
    seconds: float


def storm(
    folder: Path,
    pictures: Pictures,
    calm: Records,
    *,
    workers: int,
    timeout_s: float,
    at_most: int | None = None,
) -> Figures:
    """Annotates in the storm, runs again until only the refused are left, and checks all that must hold.

    A second malformed reply in a row is a failure by design, so a few samples take another run; none does
    where each fault hits a request `at_most` once.
    """
    began = time.monotonic()
    rules = (Rule(fault, rate, at_most=at_most) for fault, rate in PASSING.items())
    faults = Faults((*rules, REFUSED), retry_after=0.2, seed=11)
    with running(SimulatedEndpoint("vllm", gold=pictures.gold, faults=faults, latency=0.02)) as endpoint:
        settings = json.loads(endpoint_settings(endpoint))
        settings["openai"]["timeout"] = timeout_s
        project = make_project(folder, json.dumps(settings), image_root=pictures.folder)
        project.write_input(pictures.rows)
        reasons: list[str] = []
        unparsable = runs = 0
        while runs == 0 or (set(reasons) != {"refused"} and runs < 8):
            most_s = max(120, len(calm))
            ended = generate(project, f"image_grounding.workflow.max_workers={workers}", within_s=most_s)
            assert ended.code == 1, ended.output
            reasons = [row["reason"] for row in project.lines("failures.jsonl")]
            assert set(reasons) <= {"refused", "unparsable"}, reasons
            unparsable += reasons.count("unparsable")
            runs += 1
        requests = about_samples(endpoint.requests)
        most = endpoint.recorder.max_in_flight
        status = partitions_by_status(project, "groundings")
    refused = {r.caption for r in requests if r.fault == Fault.REFUSED}
    assert refused
    assert results_of(project) == {key: row for key, row in calm.items() if key[1] not in refused}
    assert {row["caption"] for row in project.lines("failures.jsonl")} == refused
    assert len(status["materialized"]) == len(calm) - len(refused)
    assert len(status["failed"]) == len(refused)
    assert status["materializing"] == set()
    by_fault = {str(fault): sum(r.fault == fault for r in requests) for fault in (*PASSING, Fault.REFUSED)}
    assert all(by_fault.values()), by_fault
    assert most <= workers
    return Figures(len(calm), len(requests), by_fault, unparsable, runs, most, time.monotonic() - began)

"""A run that is killed with -9 again and again, and what must be true of it at the end."""

import json
import random
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.doors.project import Project, endpoint_settings, make_project
from tests.endpoints.faults import Fault, Faults, Rule
from tests.endpoints.record import ReceivedRequest
from tests.endpoints.server import SimulatedEndpoint, running
from tests.endurance.pictures import Pictures
from tests.endurance.runs import generate, generating
from tests.endurance.status import STEP_FOLDERS, ids_on_disk, partitions_by_status, unfinished_runs

Records = Mapping[tuple[str, str], Mapping[str, Any]]
WORKERS = 16
MAX_WORKERS = f"image_grounding.workflow.max_workers={WORKERS}"
PASSING = (
    Fault.SERVER_ERROR,
    Fault.BAD_GATEWAY,
    Fault.CONFLICT,
    Fault.RESET,
    Fault.RESET_MID_REPLY,
    Fault.GARBAGE_BODY,
    Fault.ERROR_INSIDE,
    Fault.NO_CHOICES,
    Fault.RATE_LIMITED,
    Fault.RATE_LIMITED_SECONDS,
    Fault.RATE_LIMITED_DATE,
    Fault.MALFORMED,
)
"""What another try makes good; each hits a question once at most."""
LASTING = {
    Fault.REFUSED: "refused",
    Fault.CONTENT_FILTER: "refused",
    Fault.FLAGGED: "refused",
    Fault.BAD_REQUEST: "endpoint_error",
}
"""What a sample fails by, and the reason that its failure has."""


def faults_of(share: float) -> Faults:
    """That share of requests hit: half by what passes, half by what lasts."""
    passing = (Rule(fault, share / 2 / len(PASSING), at_most=1) for fault in PASSING)
    lasting = (Rule(fault, share / 2 / len(LASTING), step="0", same_every_attempt=True) for fault in LASTING)
    return Faults((*passing, *lasting), retry_after=0.5, seed=3)


@dataclass
class Figures:
    """What a soak came to."""

    samples: int
    kills: int
    needed: int
    """Calls of a calm run."""
    cap: int = 0
    """`max_calls` of the runs that were killed; 0: none."""
    under_cap: int = 0
    """Calls that the endpoint saw, calibration included, until the cap stopped a run."""
    calls: int = 0
    by_fault: Counter[str] = field(default_factory=Counter)
    lost: list[int] = field(default_factory=list)
    """At each kill, calls whose result was not on disk: those that were in flight, or just answered."""
    done_at_kill: list[int] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def faulted(self) -> int:
        return self.by_fault.total()


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
        ended = generate(project, MAX_WORKERS)
        assert ended.code == 0, ended.output
        assert len(about_samples(endpoint.requests)) == 2 * len(pictures.rows)
        return results_of(project)


def soak(
    folder: Path,
    pictures: Pictures,
    calm: Records,
    *,
    kills: int,
    seed: int = 1,
    share_of_faults: float = 0.03,
    capped: bool = False,
) -> Figures:
    """Kills a run `kills` times at random moments, lets the last one end, and checks all that must hold.

    With `capped`, half of the calls that are needed are allowed at first, for all these runs together.
    """
    began = time.monotonic()
    faults = faults_of(share_of_faults)
    with running(SimulatedEndpoint("vllm", gold=pictures.gold, faults=faults, latency=0.02)) as endpoint:
        project = make_project(folder, endpoint_settings(endpoint), image_root=pictures.folder)
        project.write_input(pictures.rows)
        needed = 2 * len(pictures.rows)
        figures = Figures(len(pictures.rows), kills, needed, cap=needed // 2 if capped else 0)
        soaked = _Soaked(project, endpoint, figures, random.Random(seed))
        for _ in range(kills):
            soaked.is_killed()
        if capped:
            soaked.is_stopped_by_the_cap(calm)
        ended = generate(project, MAX_WORKERS)
        requests = about_samples(endpoint.requests)
    figures.calls = len(requests)
    figures.by_fault.update(r.fault for r in requests if r.fault)
    failing = {r.caption: LASTING[Fault(r.fault)] for r in requests if r.fault in LASTING}
    assert ended.code == bool(failing), ended.output
    soaked.has_the_results_of(calm, failing)
    soaked.has_asked_nothing_in_vain(requests)
    soaked.is_shown_as_it_is()
    figures.seconds = time.monotonic() - began
    return figures


@dataclass
class _Soaked:
    """One project, what its endpoint saw, and what was on disk at each kill."""

    project: Project
    endpoint: SimulatedEndpoint
    figures: Figures
    dice: random.Random
    lost: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By (step, caption)."""

    def is_killed(self) -> None:
        figures, recorder = self.figures, self.endpoint.recorder
        before = len(self.endpoint.requests)
        mark = recorder.total + self.dice.randint(1, (figures.cap or figures.needed) // figures.kills)
        extra_s = self.dice.uniform(0, 0.05)
        with generating(self.project, MAX_WORKERS, *self._cap()) as run:
            run.until_or_end(lambda: recorder.total >= mark)
            time.sleep(extra_s)
            run.kill()
        endpoint_is_idle(self.endpoint)
        done = {step: captions_on_disk(self.project, step) for step in STEP_FOLDERS}
        requests = about_samples(self.endpoint.requests[before:])
        lost = {(r.step, r.caption) for r in requests if not r.fault and r.caption not in done[r.step]}
        assert len(lost) <= WORKERS, "no more than were in flight"
        self.lost.update(lost)
        figures.lost.append(len(lost))
        figures.done_at_kill.append(len(done["1"]))

    def is_stopped_by_the_cap(self, calm: Records) -> None:
        figures = self.figures
        ended = generate(self.project, MAX_WORKERS, *self._cap())
        assert ended.code == 1 and f"workflow.max_calls={figures.cap:,} leaves no room" in ended.stderr
        figures.under_cap = self.endpoint.recorder.total
        # what was booked and not sent yet when a kill came is counted, and never reached the endpoint
        assert figures.cap - WORKERS * figures.kills <= figures.under_cap <= figures.cap
        assert results_of(self.project).items() <= calm.items()

    def _cap(self) -> list[str]:
        return [f"image_grounding.workflow.max_calls={self.figures.cap}"] if self.figures.cap else []

    def has_the_results_of(self, calm: Records, failing: Mapping[str, str]) -> None:
        """Apart from the samples that fail; `failing` has the reason by caption."""
        assert results_of(self.project) == {key: row for key, row in calm.items() if key[1] not in failing}
        failures = self.project.lines("failures.jsonl")
        assert {row["caption"]: row["reason"] for row in failures} == failing

    def has_asked_nothing_in_vain(self, requests: Iterable[ReceivedRequest]) -> None:
        answered = Counter((r.step, r.caption) for r in requests if not r.fault)
        again = {key: count for key, count in answered.items() if count > 1 + self.lost[key]}
        assert not again, "asked again although the result was on disk"
        figures = self.figures
        assert figures.calls <= figures.needed + figures.faulted + self.lost.total()

    def is_shown_as_it_is(self) -> None:
        """By Dagster."""
        ids = {row["sample_id"] for row in self.project.lines("samples.jsonl")}
        for step, asset in (("0", "expressions"), ("1", "groundings")):
            stored = ids_on_disk(self.project, step)
            shown = partitions_by_status(self.project, asset)
            assert shown == {"materialized": stored, "failed": ids - stored, "materializing": set()}
        assert unfinished_runs(self.project) == []


def about_samples(requests: Iterable[ReceivedRequest]) -> list[ReceivedRequest]:
    """Without those about calibration cards."""
    return [request for request in requests if request.caption.startswith("Picture ")]


def endpoint_is_idle(endpoint: SimulatedEndpoint) -> None:
    """Returns when every request of clients that are gone is recorded."""
    # connections are accepted in the order they came: once this one is, none of theirs waits unread
    with urlopen(f"{endpoint.url}/_sim/stats") as answer:
        answer.read()
    deadline = time.monotonic() + 30
    while endpoint.connections or endpoint.recorder.in_flight:
        assert time.monotonic() < deadline, "the endpoint still serves a client that is dead"
        time.sleep(0.002)


def captions_on_disk(project: Project, step: str) -> set[str]:
    """Of the samples that have a checkpoint."""
    files = project.results.glob(f"{STEP_FOLDERS[step]}/.ckpt/*.json")
    return {json.loads(file.read_bytes())["record"]["cleaned_caption"] for file in files}

"""Whole runs against endpoints that refuse: one sample, all of them, or until they have loaded."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.doors.project import Project, make_project
from tests.endpoints.faults import Fault, Faults, Rule
from tests.endpoints.server import SimulatedEndpoint, running
from tests.endurance.pictures import Pictures
from tests.endurance.runs import generate, generating
from tests.endurance.soak import about_samples
from tests.endurance.status import ids_on_disk, partitions_by_status

COUNT = 24


def project_for(folder: Path, endpoint: SimulatedEndpoint, pictures: Pictures, **workflow: Any) -> Project:
    """Over the first samples; nothing is asked about before them."""
    backend, model = ("gemini", "model") if endpoint.kind.name == "gemini" else ("openai", "model_name")
    section = {"base_url": endpoint.base_url, model: endpoint.model, "api_key": endpoint.key or "none"}
    project = make_project(
        folder,
        json.dumps({"backend": backend, "measure": False, backend: section}),
        image_root=pictures.folder,
    )
    project.write_input(pictures.rows[:COUNT])
    return project


def workers(count: int) -> str:
    return f"image_grounding.workflow.max_workers={count}"


def failed(project: Project) -> dict[str, str]:
    """Reason by caption."""
    return {row["caption"]: row["reason"] for row in project.lines("failures.jsonl")}


@pytest.mark.parametrize(
    ("kind", "fault", "at", "count", "reason"),
    [
        ("vllm", Fault.FLAGGED, 0, 1, "refused"),
        ("gemini", Fault.FLAGGED, 9, 8, "refused"),
        # Gemini's 403 says PERMISSION_DENIED, which is about the key: it stops a run
        ("vllm", Fault.FORBIDDEN_BARE, 0, 8, "refused"),
        ("vllm", Fault.FORBIDDEN_BARE, 9, 1, "refused"),
        ("vllm", Fault.RATE_LIMITED_SECONDS, 9, 8, "rate_limited"),
        ("gemini", Fault.RATE_LIMITED_SECONDS, 0, 8, "rate_limited"),
        ("gemini", Fault.RATE_LIMITED_SECONDS, 9, 1, "rate_limited"),
    ],
    ids=lambda value: str(value),
)
def test_one_sample_that_is_refused_is_a_row_and_the_others_are_done(
    tmp_path: Path, pictures: Pictures, kind: Any, fault: Fault, at: int, count: int, reason: str
) -> None:
    """The very first one among them, with one request at a time."""
    caption = pictures.rows[at]["caption"]
    # told to come back tomorrow
    faults = Faults((Rule(fault, captions=(caption,), step="0"),), retry_after=86_400)
    with running(SimulatedEndpoint(kind, gold=pictures.gold, faults=faults)) as endpoint:
        project = project_for(tmp_path, endpoint, pictures)
        ended = generate(project, workers(count))
        asked = Counter((r.step, r.caption) for r in about_samples(endpoint.requests))
    assert ended.code == 1
    assert failed(project) == {caption: reason}
    assert len(project.lines()) == COUNT - 1
    assert set(asked.values()) == {1}, "nothing was asked twice"
    assert f"{COUNT - 1} of {COUNT} samples have a result; 1 failed (1 {reason})." in ended.stdout


@pytest.mark.parametrize(
    ("fault", "count", "words"),
    [
        (Fault.OUT_OF_CREDIT, 1, "serves this account no longer (402). Insufficient credits."),
        (Fault.OUT_OF_CREDIT, 8, "serves this account no longer (402). Insufficient credits."),
        (Fault.QUOTA_EXHAUSTED, 2, "serves this account no longer (429). You exceeded your current quota"),
        *((Fault.FORBIDDEN_BARE, count, "calls in a row were refused.") for count in (1, 2, 8)),
        (Fault.RATE_LIMITED_SECONDS, 2, "the endpoint asks to wait 86400 s; run again then."),
        (Fault.RATE_LIMITED_SECONDS, 8, "the endpoint asks to wait 86400 s; run again then."),
    ],
    ids=lambda value: str(value),
)
def test_an_account_that_is_closed_meanwhile_stops_the_run_and_fails_no_sample(
    tmp_path: Path, pictures: Pictures, fault: Fault, count: int, words: str
) -> None:
    with running(SimulatedEndpoint("vllm", gold=pictures.gold, latency=0.05)) as endpoint:
        project = project_for(tmp_path, endpoint, pictures)
        with generating(project, workers(count)) as run:
            run.until(lambda: len(ids_on_disk(project, "1")) >= 3, "results")
            endpoint.faults = Faults((Rule(fault),), retry_after=86_400)
            ended = run.ended()
        refused = [r for r in endpoint.requests if r.fault]
        assert len(refused) <= max(count, 3), "as many as were in flight, or as it takes to be sure"
        done = ids_on_disk(project, "1")
        assert ended.code == 1
        assert words in ended.stderr.splitlines()[-1]
        assert len(project.lines()) == len(done), "the files hold what is there"
        assert failed(project) == {}
        status = partitions_by_status(project, "groundings")
        assert status == {"materialized": done, "failed": set(), "materializing": set()}
        endpoint.faults = Faults()
        assert generate(project, workers(count)).code == 0
        asked = Counter((r.step, r.caption) for r in about_samples(endpoint.requests) if not r.fault)
    assert len(asked) == 2 * COUNT and set(asked.values()) == {1}


def test_a_server_that_is_loading_is_waited_for_from_the_beginning(
    tmp_path: Path, pictures: Pictures
) -> None:
    with running(SimulatedEndpoint("tao", gold=pictures.gold, quirks={"starting": 2})) as endpoint:
        project = project_for(tmp_path, endpoint, pictures)
        ended = generate(project, workers(1))
    assert ended.code == 0, ended.output
    assert len(project.lines()) == COUNT
    paused, going_on = (line for line in ended.stderr.splitlines() if line.startswith(("Paused", "Going on")))
    assert "is not ready yet (202). Server is initializing, please wait" in paused
    assert "the endpoint answers again" in going_on


def test_an_outage_beyond_patience_ends_with_the_files_written(tmp_path: Path, pictures: Pictures) -> None:
    endpoint = SimulatedEndpoint("vllm", gold=pictures.gold, latency=0.05)
    with running(endpoint):
        project = project_for(tmp_path, endpoint, pictures)
        with generating(project, workers(4), "image_grounding.workflow.patience=5") as run:
            run.until(lambda: len(ids_on_disk(project, "1")) >= 3, "results")
            endpoint.faults = Faults((Rule(Fault.RESET),))
            ended = run.ended()
    assert ended.code == 1
    assert "which is all of image_grounding.workflow.patience" in ended.stderr.splitlines()[-1]
    assert len(project.lines()) == len(ids_on_disk(project, "1")) < COUNT
    assert failed(project) == {}

"""Ctrl-C and SIGTERM: no new calls, what is in flight is finished or dropped, what is finished is kept."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.doors.project import BIN, Project, endpoint_settings, make_project
from tests.endpoints.faults import Fault, Faults, Rule
from tests.endpoints.server import SimulatedEndpoint, running
from tests.endurance.pictures import Pictures
from tests.endurance.runs import Ended, generate, generating
from tests.endurance.soak import Records, about_samples, endpoint_is_idle, results_of
from tests.endurance.status import ids_on_disk, partitions_by_status, unfinished_runs
from tests.ui.dagster_dev import running_dagster, wait_for

WORKERS = "image_grounding.workflow.max_workers=8"
SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
GO_ON = "auto_label: Interrupted. Everything finished is kept; the same command goes on from here."


def project_of(folder: Path, endpoint: SimulatedEndpoint, pictures: Pictures) -> Project:
    project = make_project(folder, endpoint_settings(endpoint), image_root=pictures.folder)
    project.write_input(pictures.rows)
    return project


def is_interrupted(ended: Ended, number: signal.Signals) -> None:
    assert ended.code == 128 + number, ended.output
    assert "Traceback" not in ended.output
    assert ended.stderr.splitlines()[-1] == GO_ON


@SIGNALS
def test_while_annotating(tmp_path: Path, pictures: Pictures, calm: Records, number: signal.Signals) -> None:
    with running(SimulatedEndpoint("vllm", gold=pictures.gold, latency=0.3)) as endpoint:
        project = project_of(tmp_path, endpoint, pictures)
        with generating(project, WORKERS) as run:
            run.until(lambda: len(ids_on_disk(project, "1")) > 10, "ten results")
            run.send(number)
            run.until(lambda: "Stopping: no more calls" in run.stderr, "a word about it")
            asked = endpoint.recorder.total
            is_interrupted(run.ended(within_s=30), number)
        endpoint_is_idle(endpoint)
        assert endpoint.recorder.total <= asked + 8, "no more than one request a worker was on its way"
        stored = {step: ids_on_disk(project, step) for step in ("0", "1")}
        answered = {(r.step, r.caption) for r in about_samples(endpoint.requests)}
        assert len(stored["0"]) + len(stored["1"]) == len(answered), "what was in flight is finished"
        assert {line["sample_id"] for line in project.lines()} == stored["1"], "and in the files"
        assert project.lines("failures.jsonl") == []
        for step, asset in (("0", "expressions"), ("1", "groundings")):
            status = partitions_by_status(project, asset)
            assert status == {"materialized": stored[step], "failed": set(), "materializing": set()}
        assert generate(project, WORKERS).code == 0
        assert len(about_samples(endpoint.requests)) == 320
        assert results_of(project) == calm


def test_what_hangs_is_dropped_and_what_waits_to_try_again_sends_nothing(
    tmp_path: Path, pictures: Pictures
) -> None:
    """Half of the requests of step 1 hang, the other half fail and wait."""
    faults = Faults((Rule(Fault.HANG, 0.5, step="1"), Rule(Fault.SERVER_ERROR, 0.5, step="1")))
    with running(SimulatedEndpoint("vllm", gold=pictures.gold, faults=faults)) as endpoint:
        project = project_of(tmp_path, endpoint, pictures)
        with generating(project, WORKERS, "image_grounding.vlm.measure=false") as run:
            run.until(lambda: endpoint.recorder.by_fault["server_error"] >= 3, "failures")
            run.until(lambda: endpoint.recorder.in_flight >= 1, "a request that hangs")
            run.send(signal.SIGTERM)
            begun = time.monotonic()
            run.until(lambda: "Stopping: no more calls, at most 10 s" in run.stderr, "a word about it")
            told_at = time.time()
            is_interrupted(run.ended(), signal.SIGTERM)
        assert time.monotonic() - begun < 25, "ten seconds, and some for ending on a busy machine"
        endpoint_is_idle(endpoint)
        # what was on its way at that moment may be counted a little later; the waits would end within the ten seconds
        assert not [r for r in endpoint.requests if r.at > told_at + 3]
    assert 8 <= len(ids_on_disk(project, "0")) <= 10, "two samples are read ahead, and may get through step 0"
    assert not partitions_by_status(project, "groundings")["failed"]


def test_a_second_one_ends_at_once(tmp_path: Path, pictures: Pictures) -> None:
    faults = Faults((Rule(Fault.HANG, step="1"),))
    with running(SimulatedEndpoint("vllm", gold=pictures.gold, faults=faults)) as endpoint:
        project = project_of(tmp_path, endpoint, pictures)
        with generating(project, WORKERS, "image_grounding.vlm.measure=false") as run:
            run.until(lambda: endpoint.recorder.in_flight == 8, "requests that hang")
            run.send(signal.SIGINT)
            run.until(lambda: "A second Ctrl-C ends at once" in run.stderr, "a word about it")
            run.send(signal.SIGINT)
            begun = time.monotonic()
            assert run.ended().code == 130
            assert time.monotonic() - begun < 3
        endpoint.faults = Faults()
        assert generate(project, WORKERS).code == 0
        assert len(project.lines()) == 160
    assert unfinished_runs(project) == []


@SIGNALS
def test_while_starting(tmp_path: Path, pictures: Pictures, number: signal.Signals) -> None:
    """The real command, interrupted as soon as it touches the folder: before its first step."""
    with running(SimulatedEndpoint("vllm", gold=pictures.gold)) as endpoint:
        project = project_of(tmp_path, endpoint, pictures)
        with subprocess.Popen(
            [BIN / "auto_label", "generate", "-e", "spec.yaml"],
            cwd=project.folder,
            env=project.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        ) as process:
            wait_for(lambda: (project.folder / ".dagster").exists() or process.poll(), "the start")
            os.kill(process.pid, number)
            stdout, stderr = process.communicate(timeout=60)
        is_interrupted(Ended(process.returncode, stdout, stderr, 0), number)
        assert about_samples(endpoint.requests) == []
        assert generate(project, WORKERS).code == 0
    assert unfinished_runs(project) == []


@SIGNALS
def test_while_rolling_up(tmp_path: Path, pictures: Pictures, calm: Records, number: signal.Signals) -> None:
    """The same 160 samples 60 times over make the rollups take their time."""
    with running(SimulatedEndpoint("vllm", gold=pictures.gold)) as endpoint:
        project = project_of(tmp_path, endpoint, pictures)
        project.write_input(pictures.rows * 60)
        step_0 = project.results / "step_0_expression_extraction"
        is_interrupted(_ended_while_writing(step_0 / "annotations.jsonl", project, number), number)
        assert not (step_0 / "annotations.jsonl").exists()
        assert not list(project.results.rglob("*.partial"))
        asked = len(endpoint.requests)
        assert generate(project, WORKERS).code == 0
        assert len(endpoint.requests) == asked
    assert len(project.lines()) == 60 * 160
    assert results_of(project) == calm


def _ended_while_writing(rollup: Path, project: Project, number: signal.Signals) -> Ended:
    """How a run ended that got the signal before the file was there: on a busy machine it may come too late, and
    then the file is written once more.
    """
    for _ in range(10):
        rollup.unlink(missing_ok=True)
        with generating(project, "image_grounding.workflow.max_workers=32") as run:
            run.until_or_end(lambda: list(rollup.parent.glob(f".{rollup.name}.*.partial")))
            with suppress(ProcessLookupError):
                run.send(number)
            ended = run.ended()
        if not rollup.exists():
            return ended
    raise AssertionError("ten rollups were over before the signal came")


def test_dagsters_own_command(tmp_path: Path, pictures: Pictures) -> None:
    with running(SimulatedEndpoint("vllm", gold=pictures.gold, latency=0.3)) as endpoint:
        project = project_of(tmp_path, endpoint, pictures)
        everything = "tested/samples,tested/annotation_run,tested/step_0_annotations"
        with subprocess.Popen(
            [
                BIN / "dagster",
                "asset",
                "materialize",
                "-m",
                "grounding_assets.definitions",
                "--select",
                everything,
            ],
            cwd=project.folder,
            env=project.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        ) as process:
            wait_for(lambda: len(ids_on_disk(project, "1")) > 5 or process.poll() is not None, "five results")
            os.kill(process.pid, signal.SIGINT)
            assert process.wait(timeout=60) != 0
        endpoint_is_idle(endpoint)
        stored = ids_on_disk(project, "1")
        assert 5 < len(stored) < 160
        assert partitions_by_status(project, "groundings") == {
            "materialized": stored,
            "failed": set(),
            "materializing": set(),
        }
        assert generate(project, WORKERS).code == 0
        assert len(about_samples(endpoint.requests)) == 320
    assert unfinished_runs(project) == []


def test_terminated_in_the_web_ui(tmp_path: Path, pictures: Pictures) -> None:
    with running(SimulatedEndpoint("vllm", gold=pictures.gold, latency=0.3)) as endpoint:
        project = project_of(tmp_path, endpoint, pictures)
        with running_dagster(project) as dagster:
            run_id = dagster.materialize("samples", "annotation_run", "step_0_annotations")
            wait_for(lambda: len(ids_on_disk(project, "1")) > 5, "five results")
            answer = dagster.query(
                "mutation($id: String!) { terminateRun(runId: $id) { __typename } }", id=run_id
            )
            assert answer["terminateRun"]["__typename"] == "TerminateRunSuccess"
            assert dagster.finished(run_id) == "CANCELED"
            endpoint_is_idle(endpoint)
            stored = ids_on_disk(project, "1")
            assert 5 < len(stored) < 160
            counts = dagster.partition_counts("groundings")
            assert counts["numMaterialized"] == len(stored)
            assert counts["numFailed"] == counts["numMaterializing"] == 0
        assert generate(project, WORKERS).code == 0
        assert len(about_samples(endpoint.requests)) == 320

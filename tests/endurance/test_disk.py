"""A disk that is full or read-only, folders that vanish, files that are damaged: said clearly, nothing lost."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.doors.project import Project, endpoint_settings, make_project
from tests.endpoints.server import SimulatedEndpoint, running
from tests.endurance.pictures import Pictures
from tests.endurance.runs import Ended, generate, generating
from tests.endurance.soak import Records, about_samples, endpoint_is_idle, results_of
from tests.endurance.status import STEP_FOLDERS, ids_on_disk, partitions_by_status

WORKERS = "image_grounding.workflow.max_workers=8"


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[None]:
    """A disk of this size at the folder; skips where nobody may mount one."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("no right to mount a small file system")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Whoever opens a file in the folder from now on cannot write it, root neither."""
    command = ["mount", "--bind", str(folder), str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("no right to mount a folder")
    try:
        remount(folder, "bind,ro")
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def project_of(folder: Path, endpoint: SimulatedEndpoint, pictures: Pictures) -> Project:
    project = make_project(folder, endpoint_settings(endpoint), image_root=pictures.folder)
    project.write_input(pictures.rows)
    return project


def is_clear(ended: Ended, *words: str) -> str:
    """One message of one or two sentences, exit code 1; the message."""
    assert ended.code == 1, ended.output
    assert "Traceback" not in ended.output
    [message] = [line for line in ended.stderr.splitlines() if line.startswith("auto_label: ")]
    assert ended.stderr.splitlines()[-1] == message
    assert all(word in message for word in words), message
    assert len(message) < 500
    return message


def goes_on(
    project: Project, endpoint: SimulatedEndpoint, calm: Records, *, kept: dict[str, set[str]]
) -> None:
    """The next run needs no call for what was kept, and ends with everything right."""
    endpoint_is_idle(endpoint)
    before = len(about_samples(endpoint.requests))
    assert generate(project, WORKERS).code == 0
    asked = len(about_samples(endpoint.requests)) - before
    assert asked == 320 - len(kept["0"]) - len(kept["1"])
    assert results_of(project) == calm
    assert len(partitions_by_status(project, "groundings")["materialized"]) == 160


def kept_by(project: Project) -> dict[str, set[str]]:
    return {step: ids_on_disk(project, step) for step in STEP_FOLDERS}


def test_a_full_disk(tmp_path: Path, pictures: Pictures, calm: Records) -> None:
    with (
        running(SimulatedEndpoint("vllm", gold=pictures.gold, latency=0.02)) as endpoint,
        mounted(tmp_path / "results", "400k"),
    ):
        project = project_of(tmp_path, endpoint, pictures)
        is_clear(generate(project, WORKERS), "Cannot write", "No space left on device", "kept")
        kept = kept_by(project)
        assert 5 < len(kept["1"]) < 160
        assert not list(project.results.rglob("*.partial"))
        remount(project.results, "size=64m")
        goes_on(project, endpoint, calm, kept=kept)


def test_a_full_disk_under_dagsters_databases(tmp_path: Path, pictures: Pictures, calm: Records) -> None:
    with (
        running(SimulatedEndpoint("vllm", gold=pictures.gold, latency=0.02)) as endpoint,
        mounted(tmp_path / ".dagster", "2500k"),
    ):
        project = project_of(tmp_path, endpoint, pictures)
        ended = generate(project, WORKERS)
        is_clear(ended, ".dagster", "disk", "run again")
        remount(tmp_path / ".dagster", "size=64m")
        goes_on(project, endpoint, calm, kept=kept_by(project))


def test_a_read_only_results_folder(tmp_path: Path, pictures: Pictures, calm: Records) -> None:
    with running(SimulatedEndpoint("vllm", gold=pictures.gold, latency=0.05)) as endpoint:
        project = project_of(tmp_path, endpoint, pictures)
        with generating(project, WORKERS) as run:
            run.until(lambda: len(ids_on_disk(project, "1")) > 5, "five results")
            with read_only(project.results):
                is_clear(run.ended(), "Cannot write", "Read-only file system")
                kept = kept_by(project)
                endpoint_is_idle(endpoint)
                asked = len(endpoint.requests)
                is_clear(generate(project, WORKERS), "Cannot write", "Read-only file system")
                assert len(endpoint.requests) == asked, "nothing is paid for that cannot be kept"
        goes_on(project, endpoint, calm, kept=kept)


def test_a_results_folder_that_is_moved_away_under_the_run(
    tmp_path: Path, pictures: Pictures, calm: Records
) -> None:
    with running(SimulatedEndpoint("vllm", gold=pictures.gold, latency=0.1)) as endpoint:
        project = project_of(tmp_path, endpoint, pictures)
        with generating(project, WORKERS) as run:
            run.until(lambda: len(ids_on_disk(project, "1")) > 5, "five results")
            project.results.rename(tmp_path / "elsewhere")
            is_clear(run.ended(), "removed during the run", "kept")
        moved = Project(tmp_path / "elsewhere")
        for step in STEP_FOLDERS.values():
            for file in project.results.glob(f"{step}/.ckpt/*.json"):
                file.replace(tmp_path / "elsewhere" / step / ".ckpt" / file.name)
        shutil.rmtree(project.results)
        moved.folder.rename(project.results)
        kept = kept_by(project)
        answered = {(r.step, r.caption) for r in about_samples(endpoint.requests)}
        assert len(kept["0"]) + len(kept["1"]) == len(answered), "what was in flight is kept, too"
        goes_on(project, endpoint, calm, kept=kept)


def test_results_that_are_deleted_under_the_run_are_not_counted_as_results(
    tmp_path: Path, pictures: Pictures, calm: Records
) -> None:
    with running(SimulatedEndpoint("vllm", gold=pictures.gold, latency=0.1)) as endpoint:
        project = project_of(tmp_path, endpoint, pictures)
        with generating(project, WORKERS) as run:
            run.until(lambda: len(ids_on_disk(project, "1")) > 5, "five results")
            for sample_id in list(ids_on_disk(project, "1"))[:3]:
                (project.results / STEP_FOLDERS["1"] / ".ckpt" / f"{sample_id}.json").unlink()
            is_clear(run.ended(), "3 results disappeared", str(project.results))
        assert len(project.lines()) == 157
        goes_on(project, endpoint, calm, kept=kept_by(project))


def test_a_results_folder_that_is_removed_between_two_runs(
    tmp_path: Path, pictures: Pictures, calm: Records
) -> None:
    """Dagster still says that all is done; the files say that nothing is."""
    with running(SimulatedEndpoint("vllm", gold=pictures.gold)) as endpoint:
        project = project_of(tmp_path, endpoint, pictures)
        assert generate(project, WORKERS).code == 0
        shutil.rmtree(project.results)
        goes_on(project, endpoint, calm, kept={"0": set(), "1": set()})


def test_damaged_checkpoints_are_set_aside_and_made_again(
    tmp_path: Path, pictures: Pictures, calm: Records
) -> None:
    with running(SimulatedEndpoint("vllm", gold=pictures.gold)) as endpoint:
        project = project_of(tmp_path, endpoint, pictures)
        assert generate(project, WORKERS).code == 0
        files = sorted((project.results / STEP_FOLDERS["1"] / ".ckpt").iterdir())
        damage = [
            lambda whole: whole[: len(whole) // 2],
            lambda whole: os.urandom(len(whole)),
            lambda whole: whole.replace(b'"format": 1', b'"format": 99'),
            lambda whole: b"",
            lambda whole: b"\0" * len(whole),
        ]
        for file, spoil in zip(files, damage, strict=False):
            spoilt = spoil(file.read_bytes())
            assert spoilt != file.read_bytes()
            file.write_bytes(spoilt)
        extracted = sorted((project.results / STEP_FOLDERS["0"] / ".ckpt").iterdir())[-1]
        extracted.write_bytes(b"not a checkpoint")
        before = len(about_samples(endpoint.requests))
        ended = generate(project, WORKERS)
        asked = [r.step for r in about_samples(endpoint.requests)[before:]]
    assert ended.code == 0, ended.output
    assert "5 files in" in ended.stderr and "1 files in" in ended.stderr and ".corrupt" in ended.stderr
    # the redone step 0 came out as before, so its grounding still stands
    assert sorted(asked) == ["0", "1", "1", "1", "1", "1"]
    assert len(list(project.results.glob("step_*/.corrupt/*"))) == 6
    assert results_of(project) == calm

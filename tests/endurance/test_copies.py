"""Results that were copied, restored or put back: what counts is what a file holds, not when it was written."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.doors.project import Project, endpoint_settings, make_project
from tests.endpoints.server import SimulatedEndpoint, running
from tests.endurance.pictures import Pictures
from tests.endurance.runs import Ended, Run, generate, generating
from tests.endurance.status import STEP_FOLDERS
from tests.endurance.test_changes import FORCE, WARMER, WORKERS, temperatures

COUNT = 40
ONE_ALONE = 'image_grounding.workflow.steps=["1"]'


@dataclass(frozen=True)
class Redone:
    """A set that a forced run, which was killed, and then a plain one have redone."""

    project: Project
    endpoint: SimulatedEndpoint
    older_extractions: bytes
    """Step 0's output from before it was redone."""


@pytest.fixture(scope="module")
def redone(tmp_path_factory: pytest.TempPathFactory, pictures: Pictures) -> Iterator[Redone]:
    with running(SimulatedEndpoint("vllm", gold=pictures.gold, latency=0.02)) as endpoint:
        folder = tmp_path_factory.mktemp("redone") / "project"
        project = make_project(folder, endpoint_settings(endpoint), image_root=pictures.folder)
        project.write_input(pictures.rows[:COUNT])
        assert generate(project, WORKERS).code == 0
        older = extracted(project).read_bytes()
        begun = endpoint.recorder.total
        with generating(project, WORKERS, FORCE, WARMER) as run:
            run.until(lambda: endpoint.recorder.total > begun + 30, "thirty calls")
            run.kill()
        assert generate(project, WORKERS, WARMER).code == 0
        assert temperatures(project) == {"0": [0.2] * COUNT, "1": [0.2] * COUNT}
        yield Redone(project, endpoint, older)


def extracted(project: Project) -> Path:
    return project.results / STEP_FOLDERS["0"] / "annotations.jsonl"


def stored(project: Project) -> dict[str, bytes]:
    """Every result, those kept aside included, and what is made of them."""
    files = [
        file for folder in STEP_FOLDERS.values() for file in (project.results / folder).rglob("[!.]*.json*")
    ]
    files += [project.results / name for name in ("annotations.jsonl", "failures.jsonl")]
    return {str(file.relative_to(project.results)): file.read_bytes() for file in files}


def shell(command: str) -> Callable[[Redone, Path], None]:
    def copied(redone: Redone, folder: Path) -> None:
        subprocess.run(
            ["sh", "-euc", command, "sh", str(redone.project.folder), str(folder)], check=True, timeout=60
        )

    return copied


def with_the_older_file(redone: Redone, folder: Path) -> None:
    shutil.copytree(redone.project.folder, folder)
    extracted(Project(folder)).write_bytes(redone.older_extractions)


COPIES = {
    "cp -r": shell('cp -r "$1" "$2"'),
    "tar": shell('mkdir "$2"; tar -C "$1" -cf - . | tar -C "$2" -xf -'),
    "touch": shell('cp -a "$1" "$2"; find "$2/results" -type f -exec touch {} +'),
    "an older step-0 file put back": with_the_older_file,
}


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
def test_a_copy_is_what_it_was_and_costs_nothing(
    tmp_path: Path, redone: Redone, copy: Callable[[Redone, Path], None]
) -> None:
    copy(redone, tmp_path / "copy")
    project = Project(tmp_path / "copy")
    asked = redone.endpoint.recorder.total
    for overrides in ([ONE_ALONE], []):
        ended = generate(project, WORKERS, WARMER, *overrides)
        assert ended.code == 0, ended.output
        assert "hand-edited" not in ended.output and "again" not in ended.output
    assert redone.endpoint.recorder.total == asked
    assert stored(project) == stored(redone.project)


def restore(project: Project, *words: str) -> Ended:
    with Run(project, "restore", "-e", "spec.yaml", *words) as run:
        return run.ended()


def test_restore_lists_then_brings_back_and_keeps_the_newer_aside(tmp_path: Path, redone: Redone) -> None:
    shutil.copytree(redone.project.folder, tmp_path / "copy")
    project = Project(tmp_path / "copy")
    asked, before = redone.endpoint.recorder.total, stored(project)
    listed = restore(project)
    assert listed.code == 0, listed.output
    assert "80 results can be brought back. Nothing was written" in listed.stdout
    assert stored(project) == before

    applied = restore(project, "apply=true")
    assert applied.code == 0 and "80 results are back" in applied.stdout, applied.output
    older = {made for step in temperatures(project).values() for made in step}
    assert len(older) == 1 and 0.2 not in older
    records = project.lines()
    assert len(records) == COUNT
    assert {record["provenance"]["step_1"]["settings"]["temperature"] for record in records} == older
    after = stored(project)
    assert {content for name, content in before.items() if "/.ckpt/" in name} <= {
        content for name, content in after.items() if "/.retired/" in name
    }, "the newer ones are kept"

    assert generate(project, WORKERS).code == 0
    assert restore(project, "apply=true", "step=1").code == 0
    assert temperatures(project)["1"] == [0.2] * COUNT
    assert redone.endpoint.recorder.total == asked, "nothing is paid for twice"

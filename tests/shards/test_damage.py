"""Files of shards that somebody deleted or spoilt: made again without asking, or refused with what to do."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from grounding_assets.cli import main
from tests.corpus import needs_corpus
from tests.doors.project import Project, coco24_rows
from tests.endpoints.server import SimulatedEndpoint, running
from tests.shards.cut_sets import UNMEASURED, cut_project, shard_results

pytestmark = needs_corpus("coco24")
ROWS = 20
REPAIRED: dict[str, Callable[[Path], object]] = {
    "00000": lambda shard: (shard / "annotations.jsonl").unlink(),
    "00001": lambda shard: _write(shard / "shard.json", b"{"),
    "00002": lambda shard: (shard / "input.jsonl").unlink(),
    "00003": lambda shard: [_write(shard / name, b"") for name in ("input.jsonl", "failures.jsonl")],
    "00004": lambda shard: (shard / "shard.json").unlink(),
}


@dataclass(frozen=True)
class Finished:
    """A data set of five shards, all of them complete, and its endpoint."""

    project: Project
    endpoint: SimulatedEndpoint

    @property
    def asked(self) -> int:
        return len(self.endpoint.requests)

    def generate(self, *overrides: str) -> int:
        return main(["generate", "-e", "spec.yaml", UNMEASURED, *overrides])


@pytest.fixture
def finished(finished_once: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Finished:
    """A copy for each test."""
    folder = tmp_path / "project"
    shutil.copytree(finished_once.project.folder, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    return Finished(Project(folder), finished_once.endpoint)


@pytest.fixture(scope="module")
def finished_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    with running(SimulatedEndpoint("vllm", "qwen3_vl")) as endpoint:
        project = cut_project(tmp_path_factory.mktemp("finished"), endpoint, coco24_rows(ROWS))
        ended = project.generate(UNMEASURED)
        assert ended.returncode == 0, ended.stderr
        yield Finished(project, endpoint)


def test_what_can_be_made_again_is_and_nothing_is_asked(finished: Finished) -> None:
    project, asked = finished.project, finished.asked
    whole = (project.results / "annotations.jsonl").read_bytes()
    slices = _slices(project)
    for key, damage in REPAIRED.items():
        damage(shard_results(project) / key)
    assert main(["report", "-e", "spec.yaml"]) == 2, "the joined file is not of the shards as they are"
    assert finished.generate() == 0
    assert finished.asked == asked
    assert (project.results / "annotations.jsonl").read_bytes() == whole
    assert _slices(project) == slices
    assert main(["report", "-e", "spec.yaml"]) == 0


def test_a_shard_that_is_gone_is_annotated_again_alone(finished: Finished) -> None:
    project, asked = finished.project, finished.asked
    shutil.rmtree(shard_results(project) / "00003")
    assert finished.generate() == 0
    assert finished.asked == asked + 2 * 4
    assert [line["caption"] for line in project.lines()] == [row["caption"] for row in coco24_rows(ROWS)]


@pytest.mark.parametrize(
    ("damage", "overrides", "named"),
    [
        (lambda results: _write(results / "shards.json", b""), (), "shards.json is damaged"),
        (lambda results: _cut_short(results / "shards/00001/input.jsonl"), (), "into shard 00001"),
        (
            lambda results: (results / "shards/00001/input.jsonl").unlink(),
            ("data.shard=00001",),
            "run `auto_label generate` on the whole data set",
        ),
        (lambda results: None, ("data.shard=00007",), "There is no shard '00007'; they are 00000 to 00004."),
    ],
    ids=["manifest emptied", "slice cut short", "slice deleted, opened alone", "no such shard"],
)
def test_what_cannot_is_refused_by_name(
    finished: Finished,
    damage: Callable[[Path], None],
    overrides: tuple[str, ...],
    named: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = finished.asked
    whole = (finished.project.results / "annotations.jsonl").read_bytes()
    damage(finished.project.results)
    assert finished.generate(*overrides) in (1, 2)
    said = capsys.readouterr().err
    assert named in said, said
    assert "input_jsonl" not in said, "the input is not what is wrong"
    assert finished.asked == asked
    assert (finished.project.results / "annotations.jsonl").read_bytes() == whole


def test_a_slice_that_is_lost_and_changed_in_the_input_is_refused(
    finished: Finished, capsys: pytest.CaptureFixture[str]
) -> None:
    project = finished.project
    (shard_results(project) / "00002/input.jsonl").unlink()
    rows = coco24_rows(ROWS)
    project.write_input([*rows[:9], {**rows[9], "caption": "Another one."}, *rows[10:]])
    assert finished.generate() == 2
    assert "its 4 lines from line 9 of" in capsys.readouterr().err
    assert not (shard_results(project) / "00002/input.jsonl").exists()


def _write(file: Path, content: bytes) -> None:
    file.write_bytes(content)


def _cut_short(file: Path) -> None:
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))


def _slices(project: Project) -> dict[str, list[str]]:
    return {
        key: [
            json.loads(line)["caption"] for line in (shard_results(project) / key / "input.jsonl").open("rb")
        ]
        for key in REPAIRED
    }

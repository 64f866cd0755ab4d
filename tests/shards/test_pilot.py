"""`workflow.limit` on a data set in shards: its first lines, wherever the shards end, and what they foretell of the rest."""

from contextlib import nullcontext
from pathlib import Path

import dagster as dg
import pytest

from grounding_assets.cli import main
from grounding_assets.cli.instance import persistent_instance
from grounding_assets.cli.materializing import Graph
from grounding_assets.core.annotation.progress import NoProgress
from grounding_assets.core.spec.loading import load_spec
from resources.credentials import Credentials
from resources.dataset import DataSet
from tests.corpus import needs_corpus
from tests.doors.project import Project, coco24_rows, refusing, sample_calls
from tests.endpoints.server import SimulatedEndpoint, running
from tests.shards.cut_sets import UNMEASURED, cut_project, materialized_shards

pytestmark = needs_corpus("coco24")


def generate(*overrides: str) -> int:
    return main(["generate", "-e", "spec.yaml", UNMEASURED, *overrides])


def enter(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(project.folder)
    monkeypatch.setenv("DAGSTER_HOME", str(project.folder))
    return project


def test_a_pilot_goes_over_shards_and_its_results_are_part_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = coco24_rows(10)
    with running(SimulatedEndpoint("vllm", "qwen3_vl")) as endpoint:
        project = enter(cut_project(tmp_path, endpoint, rows), monkeypatch)
        assert generate("workflow.limit=6") == 0
        said = capsys.readouterr().out
        assert {caption for _, caption in sample_calls(endpoint)} == {row["caption"] for row in rows[:6]}
        assert "6 of 10 samples in 3 shards have a result; 4 are still pending." in said
        assert "Pilot of 6 of 10 samples" in said and "the 4 other samples will take" in said, said
        assert "The full set: auto_label generate -e spec.yaml" in said and "limit=6" not in said
        assert materialized_shards(project) == {"tested-00000"}, "the second one is not complete"
        assert main(["report", "-e", "spec.yaml"]) == 0
        assert "Not complete: 6 of 10 samples" in capsys.readouterr().out

        asked = len(endpoint.requests)
        assert generate("workflow.limit=5") == 0
        assert len(endpoint.requests) == asked
        capsys.readouterr()
        assert generate() == 0
        assert "10 of 10 samples in 3 shards have a result (4 now, 6 before)." in capsys.readouterr().out
        calls = sample_calls(endpoint)
        assert len(calls) == len(set(calls)), "nothing is asked twice"
        assert [line["caption"] for line in project.lines()] == [row["caption"] for row in rows]


@pytest.mark.parametrize(
    ("overrides", "code", "named"),
    [
        (("workflow.limit=6",), 1, "1 failed (1 refused)"),
        (("workflow.limit=6", "workflow.max_failed=0.1"), 1, "16.7 % of 6 samples failed"),
        (("workflow.limit=1",), 0, "Pilot of 1 of 10 samples"),
        (("workflow.sample=2",), 2, "workflow.limit takes the first lines of all"),
    ],
    ids=["a failure", "a gate", "before the failure", "a random choice"],
)
def test_how_a_pilot_ends(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    overrides: tuple[str, ...],
    code: int,
    named: str,
) -> None:
    rows = coco24_rows(10)
    with running(SimulatedEndpoint("vllm", "qwen3_vl", faults=refusing(rows[2]["caption"]))) as endpoint:
        enter(cut_project(tmp_path, endpoint, rows), monkeypatch)
        assert generate(*overrides) == code
    said = capsys.readouterr()
    assert named in said.out + said.err, said.out + said.err


def test_the_joined_files_of_a_pilot_that_lacks_results_end_as_failed_in_dagster_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = coco24_rows(10)
    with running(SimulatedEndpoint("vllm", "qwen3_vl", faults=refusing(rows[2]["caption"]))) as endpoint:
        enter(cut_project(tmp_path, endpoint, rows), monkeypatch)
        assert generate("workflow.limit=2") == 0
    for limit, succeeds in ((2, True), (3, False)):
        dataset = DataSet(
            load_spec(Path("spec.yaml"), [UNMEASURED, f"workflow.limit={limit}"]), Credentials()
        )
        with persistent_instance() as instance:
            graph = Graph(dataset.spec, dataset.credentials, NoProgress())
            with nullcontext() if succeeds else pytest.raises(dg.Failure, match="8 are pending"):
                graph.materialize(instance, ["annotations"])

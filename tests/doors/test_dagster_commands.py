"""`dagster asset materialize` and `dg launch`: partitions, ranges, everything pending, one instance for all."""

from pathlib import Path

import pytest

from tests.corpus import PROJECT, needs_corpus
from tests.doors.project import Project, coco24_rows, endpoint_settings, make_project, refusing, sample_calls
from tests.endpoints.server import SimulatedEndpoint, running

pytestmark = needs_corpus("coco24")
SAMPLES, BOTH = "tested/samples", "tested/expressions,tested/groundings"
PENDING = "tested/annotation_run,tested/step_0_annotations,tested/step_1_annotations,tested/annotations"


def _materialize(project: Project, select: str, *options: str, **environment: str) -> int:
    materialize = (
        "dagster",
        "asset",
        "materialize",
        "-m",
        "grounding_assets.definitions",
        "--select",
        select,
    )
    ended = project.run(*materialize, *options, **environment)
    assert "Traceback" not in ended.stdout, ended.stdout[-3000:]
    return ended.returncode


def test_a_partition_a_range_then_everything_pending(tmp_path: Path) -> None:
    rows = coco24_rows(20)
    with running(SimulatedEndpoint("vllm", "qwen3_vl")) as endpoint:
        project = make_project(tmp_path, endpoint_settings(endpoint))
        project.write_input(rows)
        assert _materialize(project, SAMPLES) == 0
        ids = [line["sample_id"] for line in project.lines("samples.jsonl")]
        assert project.status("groundings")["missing"] == 20

        assert _materialize(project, BOTH, "--partition", ids[7]) == 0
        assert project.status("groundings")["materialized"] == 1

        assert _materialize(project, BOTH, "--partition-range", f"{ids[5]}...{ids[9]}") == 0
        assert project.status("groundings")["materialized"] == 5
        assert [line["sample_id"] for line in project.lines()] == ids[5:10]
        calls = sample_calls(endpoint)
        assert len(calls) == len(set(calls)), "no sample is asked about twice"

        assert _materialize(project, PENDING) == 0
        assert project.status("expressions") == {
            "materialized": 20,
            "failed": 0,
            "materializing": 0,
            "missing": 0,
        }
        assert [line["caption"] for line in project.lines()] == [row["caption"] for row in rows]
        calls = sample_calls(endpoint)
        assert len(calls) == len(set(calls))
        asked = len(endpoint.requests)

        assert project.generate().returncode == 0
        assert len(endpoint.requests) == asked, "what one door did is done for the others"


@pytest.mark.parametrize("one_planned_event_a_run", ["0", "1"])
def test_failures_in_a_range_show_as_failed_and_done_ones_stay_done(
    tmp_path: Path, one_planned_event_a_run: str
) -> None:
    planned = {"DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS": one_planned_event_a_run}
    rows = coco24_rows(6)
    doomed = rows[2]["caption"]
    with running(SimulatedEndpoint("vllm", "qwen3_vl")) as endpoint:
        project = make_project(tmp_path, endpoint_settings(endpoint))
        project.write_input(rows)
        assert _materialize(project, SAMPLES) == 0
        ids = [line["sample_id"] for line in project.lines("samples.jsonl")]
        assert _materialize(project, BOTH, "--partition", ids[0], **planned) == 0
        endpoint.faults = refusing(doomed)
        assert _materialize(project, BOTH, "--partition-range", f"{ids[0]}...{ids[3]}", **planned) == 1
        assert [line["sample_id"] for line in project.lines()] == [ids[0], ids[1], ids[3]]
        assert [line["sample_id"] for line in project.lines("failures.jsonl")] == [ids[2]]
        expected = {"materialized": 3, "failed": 1, "materializing": 0, "missing": 2}
        assert project.status("expressions") == expected
        assert project.status("groundings") == expected

        assert _materialize(project, PENDING, **planned) == 1
        assert project.status("groundings") == {
            "materialized": 5,
            "failed": 1,
            "materializing": 0,
            "missing": 0,
        }
        assert len(project.lines()) == 5
        assert [f["caption"] for f in project.lines("failures.jsonl")] == [doomed]


def test_run_configuration_overrides_reach_every_asset(tmp_path: Path) -> None:
    with running(SimulatedEndpoint("vllm", "qwen3_vl")) as endpoint:
        project = make_project(tmp_path, endpoint_settings(endpoint))
        project.write_input(coco24_rows(2))
        config = '{"resources": {"dataset": {"config": {"workflow": {"steps": ["0"]}, "vlm": {"openai": {"temperature": 0.1}}}}}}'
        assert _materialize(project, f"{SAMPLES},{PENDING}", "--config-json", config) == 0
        record = project.lines()[0]
        assert record["pipeline_steps"] == ["step0_expression_extraction"]
        assert record["provenance"]["step_0"]["settings"]["temperature"] == 0.1
        assert {step for step, _ in sample_calls(endpoint)} == {"0"}


def test_dg_launch(tmp_path: Path) -> None:
    project = make_project(tmp_path, "{backend: local}")
    project.write_input(coco24_rows(3))
    (tmp_path / "pyproject.toml").write_text((PROJECT / "pyproject.toml").read_text())
    ended = project.run("dg", "launch", "--assets", f"{SAMPLES},{PENDING}")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert project.status("groundings")["materialized"] == 3
    assert len(project.lines()) == 3

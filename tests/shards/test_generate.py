"""A data set in shards through its doors: `auto_label` and Dagster's own commands."""

import json
from pathlib import Path

from tests.corpus import needs_corpus
from tests.doors.project import Project, coco24_rows, refusing, sample_calls
from tests.endpoints.faults import Faults
from tests.endpoints.server import SimulatedEndpoint, running
from tests.shards.cut_sets import UNMEASURED, calls_booked, cut_project, materialized_shards, shard_results

pytestmark = needs_corpus("coco24")


def test_shards_are_annotated_joined_resumed_and_asked_once(tmp_path: Path) -> None:
    rows = coco24_rows(10)
    doomed = rows[5]["caption"]
    with running(SimulatedEndpoint("vllm", "qwen3_vl", faults=refusing(doomed))) as endpoint:
        project = cut_project(tmp_path, endpoint, rows)
        first = project.generate(UNMEASURED)
        assert first.returncode == 1, first.stderr
        assert "9 of 10 samples in 3 shards have a result; 1 failed (1 refused)." in first.stdout
        assert materialized_shards(project) == {"tested-00000", "tested-00002"}
        assert [line["caption"] for line in project.lines()] == [
            row["caption"] for row in rows if row["caption"] != doomed
        ]
        assert [line["caption"] for line in project.lines("failures.jsonl")] == [doomed]

        endpoint.faults = Faults()
        asked = len(endpoint.requests)
        second = project.generate(UNMEASURED)
        assert second.returncode == 0, second.stderr
        assert "10 of 10 samples in 3 shards have a result (1 now, 9 before)." in second.stdout
        assert {caption for _, caption in sample_calls(endpoint, asked)} == {doomed}
        assert materialized_shards(project) == {f"tested-0000{n}" for n in range(3)}
        assert [line["caption"] for line in project.lines()] == [row["caption"] for row in rows]
        assert project.lines("failures.jsonl") == []

        asked = len(endpoint.requests)
        third = project.generate(UNMEASURED, "image_grounding.vlm.openai.temperature=0.2")
        assert (third.returncode, len(endpoint.requests)) == (0, asked), third.stderr
        assert "20 results were made with other settings than this run's and are kept" in third.stdout
        assert calls_booked(project) == asked, "one account for all shards, at the root"
    ids = [line["sample_id"] for line in project.lines()]
    assert len(set(ids)) == 10 and all("~" in one for one in ids)
    _check_commands(project)


def _check_commands(project: Project) -> None:
    """Those that read the joined files see the whole; those that need one results folder say so."""
    assert "10 samples" in project.auto_label("report", "-e", "spec.yaml").stdout
    exported = project.auto_label("export", "-e", "spec.yaml", "format=parquet")
    assert "10 samples" in exported.stdout, exported.stderr
    refused = project.auto_label("restore", "-e", "spec.yaml")
    assert refused.returncode == 2 and "data.shard=00000" in refused.stderr
    one = project.auto_label("report", "-e", "spec.yaml", "data.shard=00001")
    assert "4 samples" in one.stdout, one.stderr
    assert not (project.results / "samples.jsonl").exists(), "nobody took the whole for one results folder"


def test_dagster_s_own_commands_and_one_shard_as_a_data_set(tmp_path: Path) -> None:
    rows = coco24_rows(9)
    with running(SimulatedEndpoint("vllm", "qwen3_vl")) as endpoint:
        project = cut_project(tmp_path, endpoint, rows)

        def materialize(asset: str, *options: str) -> int:
            ended = project.run(
                *("dagster", "asset", "materialize", "-m", "grounding_assets.definitions"),
                *("--select", f"tested/{asset}", *options),
            )
            return ended.returncode

        assert materialize("samples") == 0
        assert materialize("annotated_shard", "--partition", "tested-00001") == 0
        assert materialized_shards(project) == {"tested-00001"}
        assert materialize("annotations") == 1, "two shards lack their results"
        assert [line["caption"] for line in project.lines()] == [row["caption"] for row in rows[4:8]]
        status = json.loads((shard_results(project) / "00001/shard.json").read_bytes())
        assert (status["samples"], status["done"], status["failed"], status["pending"]) == (4, 4, 0, 0)

        part = project.auto_label("report", "-e", "spec.yaml")
        assert "Not complete: 4 of 9 samples have a result; 0 failed, and 5 are pending." in part.stdout, (
            part.stderr
        )
        asked = len(endpoint.requests)
        opened = project.generate(UNMEASURED, "image_grounding.data.shard=00001")
        assert opened.returncode == 0 and len(endpoint.requests) == asked, opened.stderr
        assert project.status("groundings", "tested_00001")["materialized"] == 4

        assert materialize("annotated_shard", "--partition", "tested-00000") == 0
        old = project.auto_label("report", "-e", "spec.yaml")
        assert old.returncode == 2 and "is not joined of the shards as they are now" in old.stderr
        assert project.generate(UNMEASURED).returncode == 0
        alone = ("image_grounding.data.shard=00002", "image_grounding.workflow.force_reprocess=true")
        assert project.generate(UNMEASURED, *alone).returncode == 0
        changed = project.auto_label("report", "-e", "spec.yaml")
        assert changed.returncode == 2 and "is not joined of the shards as they are now" in changed.stderr
        asked_again = sample_calls(endpoint)[-2:]
        assert project.generate(UNMEASURED).returncode == 0
        assert sample_calls(endpoint)[-2:] == asked_again, (
            "what was made alone is joined, and not asked again"
        )
        assert [line["caption"] for line in project.lines()] == [row["caption"] for row in rows]
        calls = sample_calls(endpoint)
        assert len(calls) == len(set(calls)) + 2, "no sample but the one that was to be made again"
        project.write_input([*rows, *coco24_rows(11)[9:]])
        more = project.generate(UNMEASURED)
        assert "11 of 11 samples in 4 shards have a result (2 now, 9 before)." in more.stdout, more.stderr
        project.write_input([*rows[:3], {**rows[3], "caption": "Another one."}, *rows[4:]])
        edited = project.generate(UNMEASURED)
        assert edited.returncode == 2 and "Line 4 of" in edited.stderr

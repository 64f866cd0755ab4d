"""`auto_label generate` with its results in object storage: killed, launched again elsewhere, and under a cap."""

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

from tests.corpus import CORPUS, needs_corpus
from tests.doors.project import Project, coco24_rows, sample_calls
from tests.endpoints.server import SimulatedEndpoint, running
from tests.endurance.runs import generate, generating
from tests.shards.cut_sets import UNMEASURED, cut_project, materialized_shards, workers_of
from tests.storage.gcs_server import GcsServer
from tests.storage.servers import S3Server, changing

pytestmark = needs_corpus("coco24")
ROWS, IN_FLIGHT, PER_SECOND = 24, 4, 20
SIDE_BY_SIDE = (UNMEASURED, "image_grounding.workflow.processes=2", "image_grounding.workflow.max_workers=4")


def stored_project(
    folder: Path, endpoint: SimulatedEndpoint, rows: list[dict[str, Any]], address: str
) -> Project:
    project = cut_project(folder, endpoint, rows)
    spec = project.spec.read_text(encoding="utf-8")
    project.spec.write_text(
        spec.replace("results_dir: results\n", f"results_dir: {address}\n"), encoding="utf-8"
    )
    return project


def stored_lines(storage: S3Server | GcsServer, address: str, name: str) -> list[dict[str, Any]]:
    content = storage.filesystem().cat_file(f"{address}/{name}")
    return [json.loads(line) for line in content.splitlines()]


def test_a_kill_costs_a_second_and_a_second_person_nothing(tmp_path: Path, s3: S3Server) -> None:
    rows, address = coco24_rows(ROWS), "s3://generated/results"
    s3.put({"s3://generated/other": b""})
    with running(SimulatedEndpoint("vllm", "qwen3_vl", latency=0.2)) as endpoint:
        project = stored_project(tmp_path / "first", endpoint, rows, address)
        with generating(project, *SIDE_BY_SIDE, environment=s3.variables) as run:
            run.until(lambda: len(sample_calls(endpoint)) > 10, "calls")
            os.kill(workers_of(run)[0], signal.SIGKILL)
            ended = run.ended()
        assert ended.code == 0, ended.output
        assert "was killed by signal 9: the shard is taken again." in ended.stderr
        assert [line["caption"] for line in stored_lines(s3, address, "annotations.jsonl")] == [
            row["caption"] for row in rows
        ]
        assert stored_lines(s3, address, "failures.jsonl") == []
        assert len(materialized_shards(project)) == ROWS // 4
        asked = len(sample_calls(endpoint))
        assert asked <= 2 * ROWS + IN_FLIGHT + PER_SECOND

        second = stored_project(tmp_path / "second", endpoint, rows, address)
        again = generate(second, UNMEASURED, environment=s3.variables)
        assert again.code == 0, again.output
        assert len(sample_calls(endpoint)) == asked
        assert len(materialized_shards(second)) == ROWS // 4
        report = second.auto_label("report", "-e", "spec.yaml", **s3.variables)
        assert f"(all {ROWS} samples" in report.stdout, report.stderr
    assert not (tmp_path / "first/s3:").exists() and not (tmp_path / "second/results").exists()
    assert "never-shown" not in ended.output + again.output


def test_results_that_the_storage_refuses_end_the_run_with_its_word(tmp_path: Path, s3: S3Server) -> None:
    s3.put({"s3://refused/other": b""})

    def refused(method: str, path: str) -> int | None:
        return 403 if method == "PUT" and path.endswith("00000/annotations.jsonl") else None

    with running(SimulatedEndpoint("vllm", "qwen3_vl")) as endpoint, changing(s3, refused) as url:
        project = stored_project(tmp_path, endpoint, coco24_rows(4), "s3://refused/results")
        refusing = generate(project, UNMEASURED, environment={**s3.variables, "AWS_ENDPOINT_URL": url})
        assert refusing.code == 1 and "No permission for s3://refused/results" in refusing.stderr
        asked = len(endpoint.requests)
        again = generate(project, UNMEASURED, environment=s3.variables)
        assert (again.code, len(endpoint.requests)) == (0, asked), again.output
    assert len(stored_lines(s3, "s3://refused/results", "annotations.jsonl")) == 4


def test_a_cap_holds_over_processes_kills_and_commands(tmp_path: Path, s3: S3Server) -> None:
    rows, address, cap = coco24_rows(ROWS), "s3://capped/results", 36
    s3.put({"s3://capped/other": b""})
    capped = f"image_grounding.workflow.max_calls={cap}"
    with running(SimulatedEndpoint("vllm", "qwen3_vl", latency=0.2)) as endpoint:
        project = stored_project(tmp_path, endpoint, rows, address)
        with generating(project, *SIDE_BY_SIDE, capped, environment=s3.variables) as run:
            run.until(lambda: len(sample_calls(endpoint)) > 6, "calls")
            os.kill(workers_of(run)[0], signal.SIGKILL)
            ended = run.ended()
        assert ended.code == 1 and "max_calls=36 leaves no room" in ended.stderr, ended.output
        assert len(endpoint.requests) <= cap
        more = generate(project, UNMEASURED, capped, environment=s3.variables)
        assert more.code == 1, more.output
        assert len(endpoint.requests) <= cap
        shutil.rmtree(tmp_path / ".dagster", ignore_errors=True)
        rest = generate(project, UNMEASURED, environment=s3.variables)
        assert rest.code == 0, rest.output
        assert [line["caption"] for line in stored_lines(s3, address, "annotations.jsonl")] == [
            row["caption"] for row in rows
        ]


def test_everything_in_google_cloud_storage(tmp_path: Path, gcs: GcsServer) -> None:
    rows, address = coco24_rows(8), "gs://generated/results"
    photos = {row["image_path"] for row in rows}
    gcs.put({f"gs://generated/photos/{name}": (CORPUS / "coco24" / name).read_bytes() for name in photos})
    gcs.put({"gs://generated/in.jsonl": b"".join(json.dumps(row).encode() + b"\n" for row in rows)})
    in_storage = ("data.input_jsonl=gs://generated/in.jsonl", "data.image_root=gs://generated/photos")
    with running(SimulatedEndpoint("vllm", "qwen3_vl")) as endpoint:
        project = stored_project(tmp_path, endpoint, rows, address)
        first = project.generate(UNMEASURED, *in_storage, **gcs.variables)
        assert first.returncode == 0, first.stdout + first.stderr
        lines = stored_lines(gcs, address, "annotations.jsonl")
        assert [line["caption"] for line in lines] == [row["caption"] for row in rows]
        assert stored_lines(gcs, address, "failures.jsonl") == []
        asked = len(sample_calls(endpoint))
        assert asked > 0

        shutil.rmtree(tmp_path / ".dagster")
        again = project.generate(UNMEASURED, *in_storage, **gcs.variables)
        assert again.returncode == 0, again.stdout + again.stderr
        assert len(sample_calls(endpoint)) == asked
    assert not (tmp_path / "gs:").exists()

"""What reads results does so from a bucket as well: copies that are current, one shard alone, and what is put back."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from grounding_assets.cli import main
from grounding_assets.core.dataset.names import name_of_address
from tests.corpus import needs_corpus
from tests.doors.project import Project, coco24_rows
from tests.endpoints.server import SimulatedEndpoint, running
from tests.shards.cut_sets import UNMEASURED
from tests.storage.servers import S3Server, changing, use
from tests.storage.test_generate_to_storage import stored_lines, stored_project

pytestmark = needs_corpus("coco24")


def command(*words: str) -> int:
    return main([words[0], "-e", "spec.yaml", *words[1:]])


def generate(*overrides: str) -> int:
    return command("generate", UNMEASURED, *overrides)


def enter(project: Project, monkeypatch: pytest.MonkeyPatch, address: str) -> Path:
    """Works in the project's folder; returns where its copies lie."""
    monkeypatch.chdir(project.folder)
    monkeypatch.setenv("DAGSTER_HOME", str(project.folder))
    return project.folder / ".dagster/copies" / name_of_address(address)


def captions(file: Path) -> list[str]:
    return [json.loads(line)["caption"] for line in file.open("rb")]


def lose_boxes(s3: S3Server, shard: str) -> None:
    """What a parser that overlooks the boxes of a sample would have stored."""
    store = s3.filesystem()
    (path,) = store.ls(f"{shard}/segments", detail=False)
    rows = [json.loads(line) for line in store.cat_file(path).splitlines()]
    for row in rows:
        tree: Any = json.loads(row["text"] or "null") if row["file"].startswith("step_1") else None
        if tree and any(expression["instances"] for expression in tree["record"]["expressions"]):
            for expression in tree["record"]["expressions"]:
                expression["instances"], expression["grounding_status"] = [], "none_seen"
            row["text"] = json.dumps(tree)
            break
    store.pipe_file(path, b"".join(json.dumps(one).encode() + b"\n" for one in rows))


def test_copies_are_read_and_are_current(
    tmp_path: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, address = coco24_rows(10), "s3://read/results"
    s3.put({"s3://read/other": b""})
    with running(SimulatedEndpoint("vllm", "qwen3_vl")) as endpoint:
        copies = enter(stored_project(tmp_path, endpoint, rows, address), monkeypatch, address)
        assert command("report") == 2 and "is not cut into shards" in capsys.readouterr().err
        assert generate("workflow.limit=5") == 0
        said = capsys.readouterr().out
        assert "Pilot of 5 of 10 samples" in said
        spent = len(endpoint.requests)
        assert command("estimate") == 0
        assert f"Spent so far: {spent:,} calls" in (said := capsys.readouterr().out), said
        assert "The remaining 5 samples will take" in said
        assert command("estimate", "sizes=true") == 2
        assert "run a pilot with workflow.limit=20 and results_dir=FOLDER" in capsys.readouterr().err
        assert command("report") == 0
        said = capsys.readouterr()
        assert "Not complete: 5 of 10 samples" in said.out and "(all 5 samples" in said.out
        assert f"Copying {address}/annotations.jsonl, 0.0 MB, to {copies}" in said.err

        assert generate() == 0
        capsys.readouterr()
        for copying in (True, False):
            assert command("report") == 0
            said = capsys.readouterr()
            assert f"Report: {copies / 'report.html'} (all 10 samples" in said.out
            assert ("Copying" in said.err) == copying
        asked = len(endpoint.requests)
        assert captions(copies / "annotations.jsonl") == [row["caption"] for row in rows]
        assert command("export", "format=odvg") == 0 and (copies / "exports/odvg").is_dir()
        assert command("evaluate", f"gold={copies / 'annotations.jsonl'}") == 0
        assert (copies / "evaluation.json").is_file()

        capsys.readouterr()
        assert command("report", "data.shard=00001") == 0
        part = copies / "shards/00001"
        assert f"Report: {part / 'report.html'} (all 4 samples" in capsys.readouterr().out
        assert captions(part / "annotations.jsonl") == [row["caption"] for row in rows[4:8]]
        assert command("report", "data.shard=00009") == 2
        assert "There is no shard '00009'" in capsys.readouterr().err
        assert command("review") == 2 and "add results_dir=FOLDER" in capsys.readouterr().err
        assert len(endpoint.requests) == asked
    assert {path.name for path in tmp_path.iterdir()} <= {
        *("spec.yaml", "input.jsonl", "dagster.yaml", ".dagster", ".nux", ".telemetry", "logs_telemetry")
    }, "nothing is written beside Dagster's own folder"


def test_one_shard_is_worked_on_and_what_is_changed_is_put_back(
    tmp_path: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, address = coco24_rows(10), "s3://changed/results"
    s3.put({"s3://changed/other": b""})
    with running(SimulatedEndpoint("vllm", "qwen3_vl")) as endpoint:
        enter(stored_project(tmp_path, endpoint, rows, address), monkeypatch, address)
        assert generate("data.shard=00001", "workflow.limit=2") == 0
        said = capsys.readouterr().out
        assert "Pilot of 2 of 4 samples" in said
        assert said.endswith("generate -e spec.yaml image_grounding.vlm.measure=false data.shard=00001\n"), (
            said
        )
        assert generate("data.shard=00001") == 0
        assert "4 of 10 samples in 3 shards have a result" in capsys.readouterr().out
        assert [one["caption"] for one in stored_lines(s3, address, "annotations.jsonl")] == [
            row["caption"] for row in rows[4:8]
        ]
        assert generate() == 0
        right, asked = stored_lines(s3, address, "annotations.jsonl"), len(endpoint.requests)
        lose_boxes(s3, f"{address}/shards/00001")
        capsys.readouterr()
        for words, said in (
            ((), "1 results would change. Nothing was written"),
            (("apply=true",), "1 results changed."),
            ((), "Today's parser changes nothing."),
        ):
            assert command("reparse", *words) == 0
            assert said in (told := capsys.readouterr().out), told
        assert command("report") == 2, "the shard was changed after it was joined"
        assert generate() == 0
        again = stored_lines(s3, address, "annotations.jsonl")
        assert [one["expressions"] for one in again] == [one["expressions"] for one in right]
        assert len(endpoint.requests) == asked


@pytest.mark.parametrize("cut_off_at", ["/segments/", "/annotations.jsonl"])
def test_a_shard_whose_reparse_was_cut_off_is_looked_at_again(
    tmp_path: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch, cut_off_at: str
) -> None:
    bucket = f"cut-off{len(cut_off_at)}"
    rows, address = coco24_rows(4), f"s3://{bucket}/results"
    s3.put({f"s3://{bucket}/other": b""})
    signalled: list[str] = []

    def cut_off(method: str, path: str) -> None:
        if method == "PUT" and cut_off_at in path and not signalled:
            signalled.append(path)
            os.kill(os.getpid(), signal.SIGTERM)

    with running(SimulatedEndpoint("vllm", "qwen3_vl")) as endpoint:
        enter(stored_project(tmp_path, endpoint, rows, address), monkeypatch, address)
        assert generate() == 0
        right, asked = stored_lines(s3, address, "annotations.jsonl"), len(endpoint.requests)
        lose_boxes(s3, f"{address}/shards/00000")
        with changing(s3, cut_off) as url:
            use({"AWS_ENDPOINT_URL": url}, monkeypatch)
            assert command("reparse", "apply=true") == 128 + signal.SIGTERM
        use(s3.variables, monkeypatch)
        assert command("report") == 2, "what there is is not of the results as they are now"
        assert command("reparse", "apply=true") == 0
        assert generate() == 0
        again = stored_lines(s3, address, "annotations.jsonl")
        assert [one["expressions"] for one in again] == [one["expressions"] for one in right]
        assert len(endpoint.requests) == asked

"""`auto_label export` and the export assets, out of the results of a whole run."""

import json
import os
from pathlib import Path

import pyarrow.parquet
import pytest
from pycocotools.coco import COCO

from grounding_assets.cli import main
from grounding_assets.cli.export import FORMATS
from tests.corpus import needs_corpus
from tests.doors.project import Project, coco24_rows, endpoint_settings, make_project
from tests.endpoints.server import SimulatedEndpoint, running

pytestmark = needs_corpus("coco24")
ROWS = 30


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    with running(SimulatedEndpoint("vllm", "qwen3_vl")) as endpoint:
        project = make_project(tmp_path_factory.mktemp("export"), endpoint_settings(endpoint))
        spec = project.spec.read_text() + "  export: {formats: [odvg], min_score: 0.6}\n"
        project.spec.write_text(spec)
        project.write_input(coco24_rows(ROWS))
        done = project.generate()
        assert done.returncode == 0, done.stderr
    return project


def export(project: Project, *words: str) -> int:
    return main(["export", "-e", str(project.spec), "-r", str(project.results), *words])


def boxes(project: Project, min_score: float) -> int:
    return sum(
        instance["score"] >= min_score
        for line in project.lines()
        for expression in line["expressions"]
        for instance in expression["instances"]
    )


def test_every_format_is_written_and_read_by_its_own_reader(project, capsys):
    for fmt in FORMATS:
        assert export(project, f"format={fmt}", "min_score=0") == 0
        out = project.results / "exports" / fmt
        assert f"{fmt}: {out}" in capsys.readouterr().out
        assert (out / "README.md").exists()
        assert json.loads((out / "export.json").read_text())["filters"]["min_score"] == 0
    exports = project.results / "exports"
    assert len(COCO(exports / "mdetr" / "train.json").anns) == boxes(project, 0)
    assert len(COCO(exports / "coco" / "train.json").imgs) == 6
    assert pyarrow.parquet.read_table(exports / "parquet" / "train.parquet").num_rows == ROWS
    regions = [
        region
        for line in (exports / "odvg" / "train.jsonl").read_text().splitlines()
        for region in json.loads(line)["grounding"]["regions"]
    ]
    assert len(regions) == boxes(project, 0)


def test_the_specs_settings_hold_and_words_go_before_them(project):
    mdetr = project.results / "exports" / "mdetr" / "train.json"
    assert export(project, "format=mdetr") == 0
    by_spec = len(COCO(mdetr).anns)
    assert export(project, "format=mdetr", "min_score=0.9") == 0
    by_words = len(COCO(mdetr).anns)
    assert by_spec == boxes(project, 0.6) > by_words == boxes(project, 0.9)
    assert export(project, "format=parquet", "fractions={train: 0.5, val: 0.5}", "seed=3") == 0
    counts = json.loads((project.results / "exports" / "parquet" / "export.json").read_text())["splits"]
    assert set(counts) == {"train", "val"} and sum(one["images"] for one in counts.values()) == 6


def test_results_that_the_annotations_do_not_show_are_told(project, capsys):
    file = project.results / "annotations.jsonl"
    content, stamp = file.read_bytes(), file.stat()
    file.write_bytes(content[: content.rindex(b"\n", 0, -1) + 1])
    os.utime(file, (stamp.st_mtime - 3600, stamp.st_mtime - 3600))
    assert export(project, "format=coco") == 0
    assert (
        "Not complete: 1 samples have a result that annotations.jsonl does not show"
        in capsys.readouterr().out
    )
    file.write_bytes(content)
    os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert export(project, "format=coco") == 0
    assert "Not complete" not in capsys.readouterr().out


def test_the_listed_formats_are_assets(project):
    out = project.results / "exports" / "odvg"
    before = json.loads((out / "export.json").read_text()) if out.exists() else None
    done = project.run(
        "dagster",
        "asset",
        "materialize",
        "-m",
        "grounding_assets.definitions",
        "--select",
        "tested/export_odvg",
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((out / "export.json").read_text())
    assert report["filters"]["min_score"] == 0.6 and report != before
    assert report["splits"]["train"]["boxes"] == boxes(project, 0.6)


def test_what_is_wrong_is_said(project, tmp_path: Path, capsys):
    for words, told in (
        (["format=yolo"], "format=yolo is not known"),
        (["format=coco", "min_score=2"], "min_score"),
        (["format=qwen_vl", "target_model=claude-sonnet-4-5"], "format=ms_swift"),
        (["format=coco", "fractions={train: 0.5}"], "add up to 0.5"),
        (["format=coco", "results_dir=" + str(tmp_path)], "auto_label generate"),
    ):
        arguments = ["export", "-e", str(project.spec)]
        if not any(word.startswith("results_dir") for word in words):
            arguments += ["-r", str(project.results)]
        assert main([*arguments, *words]) == 2, words
        assert told in capsys.readouterr().err


def test_the_demonstration_teachers_annotations_need_a_word(tmp_path: Path, capsys):
    demo = make_project(tmp_path, "{backend: local}")
    demo.write_input(coco24_rows(2))
    assert demo.generate().returncode == 0
    assert export(demo, "format=odvg") == 2
    assert "allow_demo_teacher" in capsys.readouterr().err
    assert export(demo, "format=parquet", "allow_demo_teacher=true") == 0
    assert "2 samples are the demonstration teacher's" in capsys.readouterr().out
    assert "Demonstration data" in (demo.results / "exports" / "parquet" / "README.md").read_text()

"""What comes from TAO works here: its default spec, its command line, its results folder, its step-0 files."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from grounding_assets.cli import main
from tests.doors.project import Project, endpoint_settings, make_project
from tests.doors.tao_folder import STEPS, write_tao_results
from tests.endpoints.server import SimulatedEndpoint, running
from tests.importing.sources import photos

CAPTIONS = [
    "A dog on a table",
    "Two cups near a window",
    "A red car in snow",
    "A cat under trees",
    "A man with hats",
    "A bus",
]


def rows(root: Path) -> list[dict[str, Any]]:
    """Six photos of 32 to 37 x 24 pixels; the sizes are given, but for the last."""
    photos(root, *(f"{n}.jpg" for n in range(len(CAPTIONS))))
    made: list[dict[str, Any]] = [
        {"image_path": f"{n}.jpg", "caption": caption, "width": 32 + n, "height": 24}
        for n, caption in enumerate(CAPTIONS)
    ]
    made[1]["image_id"] = "second"
    del made[5]["width"], made[5]["height"]
    return made


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = make_project(tmp_path / "work", "{backend: local}", image_root=tmp_path / "photos")
    made.write_input(rows(tmp_path / "photos"))
    return made


def test_a_folder_that_tao_began_is_continued_and_nothing_finished_is_asked_again(
    project: Project, tmp_path: Path
) -> None:
    write_tao_results(
        project.results, rows(tmp_path / "photos"), tmp_path / "photos", failed_0={2}, failed_1={3}
    )
    for name in ("annotations.jsonl", f"{STEPS[1]}/annotations.jsonl"):
        # as an editor leaves it
        (project.results / name).write_text("\n" + (project.results / name).read_text())
    with (project.results / "annotations.jsonl").open("a") as cut:
        cut.write('{"image_path": "cut by a ki')
    before = {
        path.relative_to(project.results): path.read_bytes()
        for path in project.results.rglob("*")
        if path.is_file()
    }
    with running(SimulatedEndpoint("vllm", "qwen3_vl")) as endpoint:
        make_project(project.folder, endpoint_settings(endpoint), image_root=tmp_path / "photos")
        ran = project.generate()
        assert ran.returncode == 0, ran.stderr
        asked = {(r.step, r.caption) for r in endpoint.requests if r.caption in CAPTIONS}
    extracted = {caption for step, caption in asked if "0" in step or "extract" in step}
    assert extracted == {CAPTIONS[2]}, asked
    # 3: TAO failed at it; 5: TAO took the photo for one of 1920 x 1080
    assert {caption for _, caption in asked} <= {CAPTIONS[2], CAPTIONS[3], CAPTIONS[5]}
    assert "5 of step 0 and 3 of step 1 were taken over" in ran.stderr + ran.stdout
    assert "pixels of another size" in ran.stderr + ran.stdout
    assert "1 records of TAO's cannot be read" in ran.stderr + ran.stdout
    lines = project.lines()
    assert [line["caption"] for line in lines] == CAPTIONS
    taken = lines[1]
    assert taken["provenance"]["step_1"]["origin"] == "NVIDIA TAO image_grounding"
    boxes = [(i["bbox"], i["score"], i["score_source"]) for i in taken["expressions"][0]["instances"]]
    assert boxes == [([1, 2, 30, 20], 0.8123, "model"), ([5, 6, 9, 9], 0.9, "default")]
    assert taken["expressions"][1]["char_span"] == [len(CAPTIONS[1]) - len("window"), len(CAPTIONS[1])]
    assert {path: (project.results / ".tao" / path).read_bytes() for path in before} == before
    assert not list(project.results.glob("*/.corrupt"))
    again = project.generate()
    assert "6 of 6 samples have a result" in again.stdout, "and taken over once"
    assert "TAO began" not in again.stderr + again.stdout


def test_evaluate_and_export_read_what_tao_wrote(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos_root = tmp_path / "photos"
    write_tao_results(project.results, rows(photos_root), photos_root, failed_0=set(), failed_1=set())
    gold = tmp_path / "gold.jsonl"
    gold.write_text((project.results / "annotations.jsonl").read_text())
    spec = str(project.spec)
    words = [f"results_dir='{project.results}'"]
    assert main(["export", "-e", spec, *words, "format=odvg"]) == 0, capsys.readouterr().err
    written = (project.results / "exports" / "odvg" / "train.jsonl").read_text().splitlines()
    assert len(written) == len(CAPTIONS)
    assert main(["evaluate", "-e", spec, *words, f"gold='{gold}'"]) == 0, capsys.readouterr().err
    said = capsys.readouterr().out
    recall = next(
        line for line in said.splitlines() if "Box recall at IoU 0.5" in line or "recall" in line.lower()
    )
    assert "100.0" in recall, said


@pytest.mark.parametrize("given", [{"cleaned_caption": "A red cup on a table"}, {}])
def test_a_minimal_file_of_expressions_is_grounded(
    project: Project, tmp_path: Path, given: dict[str, str]
) -> None:
    folder = project.results / STEPS[0]
    folder.mkdir(parents=True)
    record = {
        "image_path": str(tmp_path / "photos" / "0.jpg"),
        "expressions": [{"text": "A red cup"}, {"text": "a table"}],
        **given,
    }
    (folder / "annotations.jsonl").write_text(json.dumps(record) + "\n")
    spec = yaml.safe_load(project.spec.read_text())
    del spec["image_grounding"]["data"]["input_jsonl"]
    project.spec.write_text(yaml.safe_dump(spec))
    ran = project.generate('workflow.steps=["1"]')
    assert ran.returncode == 0, ran.stderr
    assert [e["text"] for e in project.lines()[0]["expressions"]] == ["A red cup", "a table"]


TAO_SPEC = {
    "mal": {"dataset": {}}, "grounding_dino": {"x": 1}, "video_reasoning_annotation": {"vlm": {}}, "num_gpus": 1,
    "gpu_ids": [0], "batch_size": 4, "num_workers": 8,
}  # fmt: skip
VIDEO = {"long_video_threshold_sec": 30, "long_video_sample_fps": 1.0, "long_video_max_frames": 64}


def test_the_spec_that_tao_writes_is_read_and_words_stand_anywhere(project: Project) -> None:
    spec = yaml.safe_load(project.spec.read_text()) | TAO_SPEC
    spec["image_grounding"]["workflow"] = {"max_workers": 2, **VIDEO}
    project.spec.write_text(yaml.safe_dump(spec))
    for words in (
        ["workflow.limit=1", "-e", "spec.yaml", "data.name=tested"],
        ["--num_gpus", "2", "results_dir=results", "-e", "spec.yaml", "--gpu_ids=[0]", "workflow.limit=1"],
    ):
        ran = project.auto_label("generate", *words)
        assert ran.returncode == 0, ran.stderr
        assert "1 of 1 samples have a result" in ran.stdout
        said = ran.stdout + ran.stderr
        assert said.count("video_reasoning_annotation") == 1 and "long_video_max_frames" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["workflow.long_video_thresh=3"], "unknown field 'image_grounding.workflow.long_video_thresh'"),
        (["workflow.max_worker=3"], "the nearest known one is 'image_grounding.workflow.max_workers'"),
    ],
)
def test_a_typo_in_our_sections_stays_an_error(
    project: Project, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", "-e", str(project.spec), *words]) == 2
    assert said in capsys.readouterr().err


def test_an_unknown_flag_is_refused_with_the_nearest_one(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["generate", "-e", str(project.spec), "--result-dir", "x"])
    assert ended.value.code == 2
    assert "unknown flag --result-dir; the nearest known one is --results_dir" in capsys.readouterr().err


def test_image_paths_can_be_written_as_tao_writes_them(project: Project, tmp_path: Path) -> None:
    assert project.generate("workflow.limit=1").returncode == 0
    assert project.lines()[0]["image_path"] == "0.jpg"
    for words in (["data.join_image_root=true"], ["data.join_image_root=true", 'workflow.steps=["1"]']):
        assert project.generate("workflow.limit=1", *words).returncode == 0
        for name in ("annotations.jsonl", f"{STEPS[0]}/annotations.jsonl"):
            assert project.lines(name)[0]["image_path"] == str(tmp_path / "photos" / "0.jpg")

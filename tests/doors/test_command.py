"""`auto_label generate`, in a process and a folder of its own; once as the console script that a user starts."""

import json
from pathlib import Path

import pytest

from grounding_assets.cli import main
from tests.corpus import needs_corpus
from tests.doors.project import (
    calls_of,
    captions_asked,
    coco24_rows,
    endpoint_settings,
    make_project,
    refusing,
    sample_calls,
)
from tests.endpoints.faults import Faults
from tests.endpoints.server import SimulatedEndpoint, running

pytestmark = needs_corpus("coco24")
LOCAL = "{backend: local}"


def test_five_captions_of_each_photo_are_samples_of_their_own(tmp_path: Path) -> None:
    project = make_project(tmp_path, LOCAL)
    rows = coco24_rows(10)
    project.write_input(rows)
    first = project.generate()
    assert first.returncode == 0, first.stderr
    assert "demonstration" in first.stderr
    records = project.lines()
    assert [(r["image_path"], r["caption"], r["split"]) for r in records] == [
        (r["image_path"], r["caption"], r["split"]) for r in rows
    ]
    assert len({e["expression_id"] for r in records for e in r["expressions"]}) == sum(
        len(r["expressions"]) for r in records
    )
    assert project.status("groundings") == {
        "materialized": 10,
        "failed": 0,
        "materializing": 0,
        "missing": 0,
    }

    checkpoint = project.results / "step_1_grounding" / ".ckpt" / f"{rows[0]['image_id']}.json"
    made = checkpoint.stat().st_mtime_ns
    again = project.generate()
    assert again.returncode == 0
    assert "demonstration" not in again.stderr
    assert checkpoint.stat().st_mtime_ns == made, "a second run must not annotate again"


def test_a_second_run_calls_nothing_and_an_added_line_costs_one_sample(tmp_path: Path) -> None:
    rows = coco24_rows(12)
    with running(SimulatedEndpoint("vllm", "qwen3_vl")) as endpoint:
        project = make_project(tmp_path, endpoint_settings(endpoint))
        project.write_input(rows[:11])
        assert project.generate("image_grounding.workflow.max_workers=1").returncode == 0
        captions = [" ".join(row["caption"].split()) for row in rows]
        asked = [" ".join(caption.split()) for step, caption in sample_calls(endpoint) if step == "0"]
        # a few are read at a time
        assert all(abs(captions.index(caption) - place) <= 3 for place, caption in enumerate(asked))
        with_expressions = sum(bool(record["expressions"]) for record in project.lines())
        assert calls_of(endpoint, rows) == 11 + with_expressions
        before = len(endpoint.requests)

        assert project.generate().returncode == 0
        assert len(endpoint.requests) == before

        project.write_input(rows)
        assert project.generate().returncode == 0
        assert captions_asked(endpoint, before) == {rows[11]["caption"]}
        assert [r["caption"] for r in project.lines()] == [row["caption"] for row in rows]


def test_a_changed_caption_is_done_again_and_a_removed_line_is_left_out(tmp_path: Path) -> None:
    rows = coco24_rows(4)
    with running(SimulatedEndpoint("vllm", "qwen3_vl")) as endpoint:
        project = make_project(tmp_path, endpoint_settings(endpoint))
        project.write_input(rows)
        assert project.generate().returncode == 0
        before = len(endpoint.requests)
        changed = [{**rows[1], "caption": rows[1]["caption"] + " It is white."}, *rows[3:]]
        project.write_input(changed)
        assert project.generate().returncode == 0
        assert captions_asked(endpoint, before) == {changed[0]["caption"]}
        assert [r["caption"] for r in project.lines()] == [row["caption"] for row in changed]
        assert project.status("groundings")["missing"] == 0


def test_failed_samples_are_rows_not_empty_results_and_only_they_are_tried_again(tmp_path: Path) -> None:
    rows = coco24_rows(30)
    doomed = [rows[3]["caption"], rows[10]["caption"], rows[27]["caption"]]
    faults = refusing(*doomed)
    with running(SimulatedEndpoint("vllm", "qwen3_vl", faults=faults)) as endpoint:
        project = make_project(tmp_path, endpoint_settings(endpoint))
        project.write_input(rows)
        first = project.generate("image_grounding.workflow.max_workers=16")
        assert first.returncode == 1
        assert "3 failed (3 refused)" in first.stdout
        assert len(project.lines()) == 27
        failures = project.lines("failures.jsonl")
        assert [f["caption"] for f in failures] == doomed
        assert {f["reason"] for f in failures} == {"refused"}
        expected = {"materialized": 27, "failed": 3, "materializing": 0, "missing": 0}
        assert project.status("expressions") == expected
        assert project.status("groundings") == expected

        before = len(endpoint.requests)
        second = project.generate()
        assert second.returncode == 1
        assert len(endpoint.requests) == before + 3

        endpoint.faults = Faults()
        healed = project.generate()
        assert healed.returncode == 0, healed.stderr
        assert captions_asked(endpoint, before + 3) == set(doomed)
        assert len(project.lines()) == 30
        assert project.lines("failures.jsonl") == []
        assert project.status("groundings")["materialized"] == 30


def test_gemini_through_its_own_sdk(tmp_path: Path) -> None:
    rows = coco24_rows(3)
    with running(SimulatedEndpoint("gemini")) as endpoint:
        project = make_project(tmp_path, endpoint_settings(endpoint))
        project.write_input(rows)
        done = project.generate()
        assert done.returncode == 0, done.stderr
        sampled = [r for r in endpoint.requests if r.caption == rows[0]["caption"].strip()]
        assert sampled
        assert "HIGH" in json.dumps(dict(sampled[0].parameters)), "media_resolution must really be sent"
        assert project.lines()[0]["provenance"]["step_1"]["convention"] == "yxyx_1000"


def test_steps_apart_with_a_hand_edit_between_them(tmp_path: Path) -> None:
    rows = coco24_rows(5)
    project = make_project(tmp_path, LOCAL)
    project.write_input(rows)
    too_early = project.generate('image_grounding.workflow.steps=["1"]')
    assert too_early.returncode == 2
    assert "No step-0 output" in too_early.stderr

    assert project.generate('image_grounding.workflow.steps=["0"]').returncode == 0
    assert not (project.results / "step_1_grounding").exists()
    published = (project.results / "annotations.jsonl").read_bytes()
    extracted = project.results / "step_0_expression_extraction" / "annotations.jsonl"
    assert published == extracted.read_bytes()

    assert project.generate('image_grounding.workflow.steps=["1"]').returncode == 0
    grounded = {
        f.name: f.stat().st_mtime_ns for f in (project.results / "step_1_grounding" / ".ckpt").iterdir()
    }

    edited = [json.loads(line) for line in extracted.read_text(encoding="utf-8").splitlines()]
    edited[3]["cleaned_caption"] = "A toilet stands beside a sink."
    edited[3]["expressions"] = [
        {"text": "A toilet", "char_span": [0, 8], "noun_chunk": "toilet", "instances": []}
    ]
    extracted.write_text("".join(json.dumps(row) + "\n" for row in edited), encoding="utf-8")
    done = project.generate('image_grounding.workflow.steps=["1"]')
    assert done.returncode == 0, done.stderr
    assert "1 hand-edited" in done.stderr
    record = project.lines()[3]
    assert [e["text"] for e in record["expressions"]] == ["A toilet"]
    now = {f.name: f.stat().st_mtime_ns for f in (project.results / "step_1_grounding" / ".ckpt").iterdir()}
    assert sum(now[name] != grounded[name] for name in grounded) == 1, (
        "only the edited sample is grounded again"
    )

    assert project.generate().returncode == 0
    assert project.lines()[3]["cleaned_caption"] == "A toilet stands beside a sink.", (
        "a full run keeps the edit"
    )


def test_force_reprocess_keeps_the_old_results_aside(tmp_path: Path) -> None:
    rows = coco24_rows(3)
    with running(SimulatedEndpoint("vllm", "qwen3_vl")) as endpoint:
        project = make_project(tmp_path, endpoint_settings(endpoint))
        project.write_input(rows)
        assert project.generate().returncode == 0
        before = calls_of(endpoint, rows)
        assert project.generate("image_grounding.workflow.force_reprocess=true").returncode == 0
        assert calls_of(endpoint, rows) == 2 * before
        retired = list((project.results / "step_1_grounding" / ".retired").rglob("*.json"))
        assert len(retired) == 3


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["image_grounding.vlm.backend=gemini"], ["GOOGLE_API_KEY", "backend=local"]),
        (["image_grounding.data.input_jsonl=nowhere.jsonl"], ["No input records at", "nowhere.jsonl"]),
        (["image_grounding.data.input_jsonl=empty.jsonl"], ["No input records at", "empty.jsonl"]),
        (["autolabel_type=mal"], ["'mal' is not supported", "image_grounding"]),
        (["image_grounding.workflow.max_worker=2"], ["unknown field", "max_workers"]),
        (["image_grounding.vlm.backend=openai"], ["openai.model_name"]),
        (["image_grounding.workflow.steps=[2]"], ["workflow.steps"]),
        (["image_grounding.vlm.gemini.api_key=sk-[secret"], ["Cannot read the override", "api_key"]),
    ],
)
def test_wrong_settings_end_with_2_and_say_what_to_do(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    overrides: list[str],
    words: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    project = make_project(tmp_path, LOCAL)
    project.write_input(coco24_rows(1))
    (tmp_path / "empty.jsonl").write_text("")
    assert main(["generate", "-e", "spec.yaml", *overrides]) == 2
    told = capsys.readouterr().err
    for word in words:
        assert word in told
    assert "Traceback" not in told
    assert "secret" not in told
    assert not project.results.exists()


def test_an_endpoint_that_refuses_the_key_stops_the_run_and_leaves_samples_pending(tmp_path: Path) -> None:
    with running(SimulatedEndpoint("vllm", "qwen3_vl", key="right")) as endpoint:
        project = make_project(tmp_path, endpoint_settings(endpoint))
        project.write_input(coco24_rows(8))
        ended = project.generate("image_grounding.vlm.openai.api_key=wrong-key-123")
        assert ended.returncode == 1
        assert "refuses the API key" in ended.stderr
        assert "wrong-key-123" not in ended.stderr + ended.stdout
        assert project.status("expressions") == {
            "materialized": 0,
            "failed": 0,
            "materializing": 0,
            "missing": 8,
        }


def test_default_specs_writes_a_commented_spec_that_the_console_script_runs(tmp_path: Path) -> None:
    project = make_project(tmp_path, LOCAL)
    project.write_input(coco24_rows(1))
    made = project.auto_label("default_specs", "results_dir=fresh", "module_name=auto_label")
    assert made.returncode == 0, made.stderr
    text = (tmp_path / "fresh" / "experiment.yaml").read_text(encoding="utf-8")
    assert "media_resolution: MEDIA_RESOLUTION_HIGH  #" in text
    image_root = json.dumps(
        str(Path(project.spec.read_text().split("image_root: ")[1].split("}")[0].strip('"')))
    )
    ended = project.run(
        "auto_label", "generate", "-e", "fresh/experiment.yaml",
        "image_grounding.data.input_jsonl=input.jsonl", f"image_grounding.data.image_root={image_root}",
        "image_grounding.vlm.backend=local", "results_dir=elsewhere",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "elsewhere" / "annotations.jsonl").exists()


def test_a_key_reaches_no_file_and_no_output(tmp_path: Path) -> None:
    key = "sk-unlikely-0123456789"
    with running(SimulatedEndpoint("vllm", "qwen3_vl", key=key)) as endpoint:
        rows = coco24_rows(2)
        by_override = make_project(tmp_path / "override", endpoint_settings(endpoint).replace(key, ""))
        by_environment = make_project(tmp_path / "environment", endpoint_settings(endpoint).replace(key, ""))
        by_spec = make_project(tmp_path / "spec", endpoint_settings(endpoint))
        for project, overrides, environment in (
            (by_override, [f"image_grounding.vlm.openai.api_key={key}"], {}),
            (by_environment, [], {"OPENAI_API_KEY": key}),
            (by_spec, [], {}),
        ):
            project.write_input(rows)
            ended = project.generate(*overrides, **environment)
            assert ended.returncode == 0, ended.stderr
            assert key not in ended.stdout + ended.stderr
            for file in project.folder.rglob("*"):
                if file.is_file() and file != project.spec:
                    assert key.encode() not in file.read_bytes(), file

"""What a user changes between runs costs what was changed: settings by force, hand edits, input lines."""

import json
from pathlib import Path

import pytest

from tests.doors.project import Project, endpoint_settings, make_project
from tests.endpoints.server import SimulatedEndpoint, running
from tests.endurance.pictures import Pictures
from tests.endurance.runs import generate, generating
from tests.endurance.soak import Records, about_samples, endpoint_is_idle, results_of
from tests.endurance.status import STEP_FOLDERS, ids_on_disk, partitions_by_status

WORKERS = "image_grounding.workflow.max_workers=8"
FORCE = "image_grounding.workflow.force_reprocess=true"
WARMER = "image_grounding.vlm.openai.temperature=0.2"


def temperatures(project: Project) -> dict[str, list[float]]:
    """What each stored result was made with, by step."""
    return {
        step: [
            json.loads(file.read_bytes())["provenance"]["settings"]["temperature"]
            for file in sorted((project.results / folder / ".ckpt").glob("[!.]*.json"))
        ]
        for step, folder in STEP_FOLDERS.items()
    }


def redone(project: Project) -> int:
    """Results that a forced run has stored, those included that wait for the next step's."""
    waiting = sum(
        len(list((project.results / folder / ".redone").glob("[!.]*.json")))
        for folder in STEP_FOLDERS.values()
    )
    return waiting + sum(made.count(0.2) for made in temperatures(project).values())


@pytest.mark.parametrize("calls", [0, 140])
def test_a_forced_run_that_is_killed_is_resumed_by_a_plain_one(
    tmp_path: Path, pictures: Pictures, calm: Records, calls: int
) -> None:
    """`calls`: how many it had sent since it wrote its order down."""
    with running(SimulatedEndpoint("vllm", gold=pictures.gold, latency=0.02)) as endpoint:
        project = make_project(tmp_path, endpoint_settings(endpoint), image_root=pictures.folder)
        project.write_input(pictures.rows)
        assert generate(project, WORKERS).code == 0
        begun = len(endpoint.requests)
        with generating(project, WORKERS, FORCE, WARMER) as run:
            run.until(lambda: list((project.results / ".redo").glob("[!.]*.json")), "the order")
            run.until(lambda: endpoint.recorder.total > begun + calls, f"{calls} calls")
            run.kill()
        endpoint_is_idle(endpoint)
        assert all(len(ids_on_disk(project, step)) == 160 for step in STEP_FOLDERS), "old results stay"
        assert results_of(project) == calm
        lost = len(about_samples(endpoint.requests[begun:])) - redone(project)
        assert 0 <= lost <= 8
        assert generate(project, WORKERS, WARMER).code == 0
        assert len(about_samples(endpoint.requests[begun:])) == 320 + lost
    assert temperatures(project) == {"0": [0.2] * 160, "1": [0.2] * 160}
    for folder in STEP_FOLDERS.values():
        retired = (project.results / folder / ".retired").rglob("*.json")
        assert len({file.name for file in retired}) == 160, "nothing is deleted"
    assert not list((project.results / ".redo").iterdir())
    assert results_of(project) == calm
    assert len(partitions_by_status(project, "groundings")["materialized"]) == 160


def test_hand_edits_survive_a_kill_and_everything_after_it(tmp_path: Path, pictures: Pictures) -> None:
    rows = pictures.rows[:80]
    with running(SimulatedEndpoint("vllm", gold=pictures.gold, latency=0.02)) as endpoint:
        project = make_project(tmp_path, endpoint_settings(endpoint), image_root=pictures.folder)
        project.write_input(rows)
        assert generate(project, "image_grounding.workflow.steps=[0]", WORKERS).code == 0
        extracted = project.results / STEP_FOLDERS["0"] / "annotations.jsonl"
        lines = [json.loads(line) for line in extracted.read_text(encoding="utf-8").splitlines()]
        for line in lines[::4]:
            line["expressions"] = line["expressions"][:1]
            line["expressions"][0]["text"] = line["expressions"][0]["text"].removeprefix("a ")
            line["expressions"][0]["char_span"][0] += 2
        extracted.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        edited = {line["caption"]: line["expressions"][0]["text"] for line in lines[::4]}
        with generating(project, WORKERS) as run:
            run.until(lambda: len(ids_on_disk(project, "1")) > 20, "twenty results")
            run.kill()
        assert generate(project, WORKERS).code == 0
        assert [r.step for r in about_samples(endpoint.requests)].count("0") == 80, (
            "no extraction is paid again"
        )
        changed = [{**row, "note": "a field that is passed through"} for row in reversed(rows)]
        project.write_input(changed)
        assert generate(project, WORKERS).code == 0
    records = {record["caption"]: record for record in project.lines()}
    assert {caption: records[caption]["expressions"][0]["text"] for caption in edited} == edited
    assert all(len(records[caption]["expressions"]) == 1 for caption in edited)
    assert all(record["note"] for record in records.values())


def test_only_changed_input_lines_cost_anything(tmp_path: Path, pictures: Pictures, calm: Records) -> None:
    rows = pictures.rows
    with running(SimulatedEndpoint("vllm", gold=pictures.gold)) as endpoint:
        project = make_project(tmp_path, endpoint_settings(endpoint), image_root=pictures.folder)
        project.write_input(rows[:120])
        assert generate(project, WORKERS).code == 0
        begun = len(endpoint.requests)
        # removed, reordered, changed, added, repeated
        changed = [{**row, "width": 1000, "height": 800} for row in rows[20:30]]
        now = [*reversed(rows[60:120]), *changed, *rows[30:60], *rows[120:140], *rows[30:35]]
        project.write_input(now)
        assert generate(project, WORKERS).code == 0
        asked = {r.caption for r in about_samples(endpoint.requests[begun:])}
        assert asked == {row["caption"] for row in [*changed, *rows[120:140]]}
        assert [line["caption"] for line in project.lines()] == [row["caption"] for row in now]
        begun = len(endpoint.requests)
        project.write_input(rows[:20])
        assert generate(project, WORKERS).code == 0
        assert len(endpoint.requests) == begun, "lines that come back find their results again"
    assert results_of(project) == {
        key: row for key, row in calm.items() if row in results_of(project).values()
    }
    assert len(project.lines()) == 20
    assert len(partitions_by_status(project, "groundings")["materialized"]) == 20

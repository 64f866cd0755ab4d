"""Another model behind the same name: its boxes are in no file, and the next run makes them again."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from resources.vlm.control import UNCONFIRMED
from tests.corpus import needs_corpus
from tests.doors.project import Project, coco24_rows, endpoint_settings, make_project, sample_calls
from tests.endpoints.gateway import switching_gateway
from tests.endpoints.server import SimulatedEndpoint, running

pytestmark = needs_corpus("coco24")


def change_measured(project: Project, **fields: Any) -> None:
    file = project.results / "endpoint.json"
    rows = json.loads(file.read_bytes())
    file.write_text(json.dumps({key: row | fields for key, row in rows.items()}))


def test_what_another_model_made_meanwhile_is_set_aside_and_made_again(tmp_path: Path) -> None:
    with (
        running(SimulatedEndpoint("vllm", "qwen3_vl", model="prod")) as one,
        running(SimulatedEndpoint("vllm", "qwen2_5_vl", model="prod")) as other,
    ):
        rows = coco24_rows(20)
        after = 20
        with switching_gateway(lambda body, number: one if number < after else other) as url:
            settings = endpoint_settings(one).replace(one.base_url, url)
            project = make_project(tmp_path, settings)
            project.write_input(rows[:4])
            assert project.generate().returncode == 0
            project.write_input(rows)
            ran = project.generate()
            assert ran.returncode == 1
            assert "prod no longer answers as it was measured: it answers in xyxy_px_sent" in ran.stderr
            assert [line["image_path"] for line in project.lines()] == [row["image_path"] for row in rows[:4]]
            failures = project.lines("failures.jsonl")
            assert {(row["step"], row["reason"]) for row in failures} == {("1", "coordinates")}
            assert project.status("groundings") == {
                "materialized": 4,
                "failed": 16,
                "materializing": 0,
                "missing": 0,
            }
            assert "4 of 20 samples have a result; 16 failed (16 coordinates)." in ran.stdout
            again = project.generate()
            assert again.returncode == 0, again.stderr
            assert "answers in xyxy_px_sent" in again.stdout + again.stderr
            assert [line["image_path"] for line in project.lines()] == [row["image_path"] for row in rows]


def end_before_the_last_card(project: Project) -> None:
    (project.results / UNCONFIRMED).touch()
    change_measured(project, confirmed_ns=1)


@pytest.mark.parametrize("joint", [False, True])
def test_boxes_that_no_card_confirmed_are_asked_about_before_a_run_ends_well(
    tmp_path: Path, joint: bool
) -> None:
    """As after a run that was killed between its last sample and its last card."""
    how = (f"image_grounding.workflow.joint={str(joint).lower()}",)
    with (
        running(SimulatedEndpoint("vllm", "qwen3_vl", model="prod")) as one,
        running(SimulatedEndpoint("vllm", "qwen2_5_vl", model="prod")) as other,
    ):
        serving, rows = [one], coco24_rows(6)
        with switching_gateway(lambda body, number: serving[0]) as url:
            project = make_project(tmp_path, endpoint_settings(one).replace(one.base_url, url))
            project.write_input(rows)
            assert project.generate(*how).returncode == 0
            first = project.lines()
            asked = len(one.requests)
            assert project.generate(*how).returncode == 0
            assert len(one.requests) == asked
            end_before_the_last_card(project)
            assert project.generate(*how).returncode == 0
            assert len(one.requests) == asked + 1
            end_before_the_last_card(project)
            serving[0] = other
            ran = project.generate(*how)
            assert ran.returncode == 1
            assert "0 of 6 samples have a result; 6 failed (6 coordinates)." in ran.stdout
            assert project.lines() == []
            serving[0] = one
            ran = project.generate(*how)
            assert ran.returncode == 0, ran.stdout + ran.stderr
            assert [line["expressions"] for line in project.lines()] == [
                line["expressions"] for line in first
            ]
        end_before_the_last_card(project)
        ran = project.generate(*how)
        assert ran.returncode == 0
        assert "Whether boxes are still written as measured could not be told" in ran.stdout


def test_boxes_of_a_time_that_is_in_doubt_are_made_again(tmp_path: Path) -> None:
    """As after another shard, another machine or `doctor` has noticed."""
    with running(SimulatedEndpoint("vllm", "qwen3_vl", model="prod")) as endpoint:
        project = make_project(tmp_path, endpoint_settings(endpoint))
        project.write_input(coco24_rows(6))
        assert project.generate().returncode == 0
        change_measured(project, doubts=[[1, time.time_ns()]])
        before = len(endpoint.requests)
        ran = project.generate()
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert "6 samples have boxes from a time when prod did not answer as it was measured" in ran.stderr
        assert {step for step, _ in sample_calls(endpoint, before)} == {"1"}
        assert len(list((project.results / "step_1_grounding").glob(".retired/*/*.json"))) == 6
        assert len(project.lines()) == 6

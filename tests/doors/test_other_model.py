"""Another model behind the same name: its boxes are in no file, and the next run makes them again."""

from pathlib import Path

from tests.corpus import needs_corpus
from tests.doors.project import coco24_rows, endpoint_settings, make_project
from tests.endpoints.gateway import switching_gateway
from tests.endpoints.server import SimulatedEndpoint, running

pytestmark = needs_corpus("coco24")


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

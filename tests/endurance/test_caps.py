"""A cap on calls holds for all processes of a data set together, whatever becomes of them."""

from contextlib import ExitStack
from pathlib import Path

from tests.doors.project import endpoint_settings, make_project
from tests.endpoints.server import SimulatedEndpoint, running
from tests.endurance.pictures import Pictures
from tests.endurance.runs import generate, generating

WORKERS = "image_grounding.workflow.max_workers=16"
KILLS = 8


def test_three_commands_at_once_share_a_cap(tmp_path: Path, pictures: Pictures) -> None:
    with running(SimulatedEndpoint("vllm", gold=pictures.gold, latency=0.05)) as endpoint:
        project = make_project(tmp_path, endpoint_settings(endpoint), image_root=pictures.folder)
        project.write_input(pictures.rows)
        cap = "image_grounding.workflow.max_calls=200"
        with ExitStack() as stack:
            runs = [stack.enter_context(generating(project, WORKERS, cap, name=name)) for name in "abc"]
            ended = [run.ended() for run in runs]
        assert all(one.code == 1 and "workflow.max_calls=200" in one.stderr for one in ended)
        assert endpoint.recorder.total == 200, "all that is allowed, and no more"


def test_kills_with_calls_in_flight_do_not_pass_a_cap(tmp_path: Path, pictures: Pictures) -> None:
    with running(SimulatedEndpoint("vllm", gold=pictures.gold, latency=0.3)) as endpoint:
        project = make_project(tmp_path, endpoint_settings(endpoint), image_root=pictures.folder)
        project.write_input(pictures.rows)
        cap = "image_grounding.workflow.max_calls=150"
        for _ in range(KILLS):
            with generating(project, WORKERS, cap) as run:
                run.until(lambda: endpoint.recorder.in_flight >= 16, "sixteen calls in flight")
                run.kill()
        assert endpoint.recorder.total >= 16 * (KILLS - 1), "the kills must fall into the calls"
        ended = generate(project, WORKERS, cap)
        assert ended.code == 1 and "workflow.max_calls=150" in ended.stderr
        assert 140 <= endpoint.recorder.total <= 150

"""Faults of an endpoint that pass cost time and nothing else; its limits are found and kept to."""

from pathlib import Path

from tests.doors.project import endpoint_settings, make_project
from tests.endpoints.faults import Faults
from tests.endpoints.server import SimulatedEndpoint, running
from tests.endurance.pictures import Pictures
from tests.endurance.runs import generating
from tests.endurance.soak import Records, results_of
from tests.endurance.storm import storm


def test_a_storm_of_faults_changes_no_result(tmp_path: Path, pictures: Pictures, calm: Records) -> None:
    figures = storm(tmp_path, pictures, calm, workers=64, timeout_s=0.5, at_most=1)
    assert (figures.runs, figures.unparsable) == (1, 0)
    assert figures.calls > 1.3 * 2 * figures.samples


def test_requests_in_flight_keep_to_the_endpoints_limit_and_grow_back(
    tmp_path: Path, pictures: Pictures, calm: Records
) -> None:
    limit = Faults(max_in_flight=4)
    with running(SimulatedEndpoint("vllm", gold=pictures.gold, faults=limit, latency=0.1)) as endpoint:
        project = make_project(tmp_path, endpoint_settings(endpoint), image_root=pictures.folder)
        project.write_input(pictures.rows)
        with generating(project, "image_grounding.workflow.max_workers=16") as run:
            run.until(lambda: endpoint.recorder.by_status[200] >= 40, "40 replies")
            begun_with = endpoint.recorder.by_status[429]
            run.until(lambda: endpoint.recorder.by_status[200] >= 120, "120 replies")
            refused = endpoint.recorder.by_status[429] - begun_with
            endpoint.faults = Faults()
            endpoint.recorder.reset()
            ended = run.ended()
        most = endpoint.recorder.max_in_flight
    assert ended.code == 0, ended.output
    assert results_of(project) == calm
    assert refused < 40, "with 16 in flight all the time, three of four requests would be refused"
    assert 12 <= most <= 16

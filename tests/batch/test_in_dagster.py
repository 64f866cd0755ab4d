"""Batches in Dagster: the asset that shows them and the sensor that has them collected."""

from typing import Any

import dagster as dg

from grounding_assets.assets.batch_jobs import build_batch_jobs
from grounding_assets.graph import build_defs
from grounding_assets.partitions import DataSetKeys
from grounding_assets.sensors import build_batch_results
from resources.credentials import Credentials
from resources.dataset import DataSet
from tests.batch.runs import batch_spec, jobs_ended, run
from tests.core.workspaces import write_input
from tests.corpus import CORPUS
from tests.doors.project import coco24_rows
from tests.endpoints.batching import BatchPlan
from tests.endpoints.server import SimulatedEndpoint, running


def test_the_sensor_has_results_collected_and_the_asset_shows_jobs(tmp_path) -> None:
    write_input(tmp_path / "input.jsonl", coco24_rows(4))
    with (
        running(SimulatedEndpoint("vllm", batch=BatchPlan(delay_s=1.0))) as endpoint,
        dg.DagsterInstance.ephemeral() as instance,
    ):
        spec = batch_spec(tmp_path, endpoint, image_root=CORPUS / "coco24")
        defs = build_defs(spec, Credentials(openai=endpoint.key), name="tested")
        sensor = build_batch_results(DataSetKeys("tested"), 60)
        assert sensor.default_status is dg.DefaultSensorStatus.STOPPED
        dataset = DataSet(spec, Credentials(openai=endpoint.key))

        def tick() -> Any:
            resources = {"dataset": dataset}
            with dg.build_sensor_context(
                instance, repository_def=defs.get_repository_def(), resources=resources
            ) as context:
                return sensor.evaluate_tick(context)

        assert "No batch job" in tick().skip_message
        run(spec, endpoint)
        shown = dg.materialize(
            [build_batch_jobs(DataSetKeys("tested"))], resources={"dataset": dataset}, instance=instance
        )
        (made,) = [
            event.step_materialization_data.materialization
            for event in shown.get_asset_materialization_events()
        ]
        assert made.metadata["requests_under_way"].value == 4
        assert "| submitted |" in str(made.metadata["jobs_table"].value)
        jobs_ended(endpoint)
        assert sensor.job_name == "annotate_pending"
        assert len(tick().run_requests) == 1


def test_without_batches_the_graph_has_neither(tmp_path) -> None:
    for mode, expected in (("on", True), ("off", False)):
        spec = batch_spec(tmp_path, SimulatedEndpoint("vllm"), mode=mode)
        repository = build_defs(spec, name="tested").get_repository_def()
        assert repository.has_sensor_def("batch_results") is expected
        assert (
            dg.AssetKey(["tested", "batch_jobs"]) in repository.asset_graph.get_all_asset_keys()
        ) is expected

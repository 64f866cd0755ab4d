"""A run's configuration as the web server takes it: one field that lies deep in it, and only that, is changed."""

import json
from pathlib import Path
from typing import Any

from tests.corpus import needs_corpus
from tests.doors.project import coco24_rows, endpoint_settings, make_project, sample_calls
from tests.endpoints.server import SimulatedEndpoint, running
from tests.ui.dagster_dev import running_dagster

pytestmark = needs_corpus("coco24")


def overriding(**openai: Any) -> dict[str, Any]:
    return {"resources": {"dataset": {"config": {"vlm": {"openai": openai}}}}}


def test_one_nested_field_is_overridden_over_graphql(tmp_path: Path) -> None:
    with running(SimulatedEndpoint("vllm", "qwen3_vl")) as endpoint:
        vlm = json.loads(endpoint_settings(endpoint))
        vlm["openai"] |= {"temperature": 0.77, "max_tokens": 1234}
        project = make_project(tmp_path, json.dumps(vlm))
        project.write_input(coco24_rows(4))
        with running_dagster(project) as dev:
            assert dev.finished(dev.materialize("samples", "endpoint_check")) == "SUCCESS"

            before = len(endpoint.requests)
            run = dev.materialize("annotation_run", config=overriding(model_name="nobody-serves-this"))
            assert dev.finished(run) == "FAILURE"
            assert {call.status for call in endpoint.requests[before:]} == {404}
            counts = dev.partition_counts("groundings")
            assert (counts["numFailed"], counts["numMaterialized"]) == (0, 0), (
                "what was not tried is not failed"
            )

            before = len(endpoint.requests)
            run = dev.materialize("annotation_run", config=overriding(temperature=0.33))
            assert dev.finished(run) == "SUCCESS"
            assert dev.partition_counts("groundings")["numMaterialized"] == 4
    assert {step for step, _ in sample_calls(endpoint, before)} == {"0", "1"}
    calls = [call for call in endpoint.requests[before:] if not call.caption.startswith("A white picture")]
    assert {call.parameters["temperature"] for call in calls} == {0.33}
    assert {call.parameters["max_tokens"] for call in calls} == {1234}, "the spec's own stays"

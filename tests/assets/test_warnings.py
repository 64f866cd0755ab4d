"""What makes all results of a run doubtful stays in its summary, run after run, and is said at its end."""

from pathlib import Path

import dagster as dg
import pytest

from tests.corpus import needs_corpus
from tests.doors.project import coco24_rows, endpoint_settings, make_project
from tests.endpoints.server import SimulatedEndpoint, running

pytestmark = needs_corpus("coco24")
WARNING = (
    "The coordinates of Qwen/Qwen3-VL-8B-Instruct could not be measured (the model gave no box for any of 8 shapes "
    "that are plainly there); going on as family qwen3_vl."
)


def test_a_known_family_that_gave_no_box_goes_on_with_a_warning_that_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(SimulatedEndpoint("vllm", "empty", model="Qwen/Qwen3-VL-8B-Instruct")) as endpoint:
        project = make_project(tmp_path, endpoint_settings(endpoint))
        for rows in (2, 4):
            project.write_input(coco24_rows(rows))
            ran = project.generate()
            assert ran.returncode == 0, ran.stdout + ran.stderr
            assert f"Warning:     {WARNING}" in ran.stdout.splitlines()
    monkeypatch.setenv("DAGSTER_HOME", str(project.folder))
    with dg.DagsterInstance.get() as instance:
        runs = instance.fetch_materializations(dg.AssetKey(["tested", "annotation_run"]), limit=10).records
    told = [one.asset_materialization.metadata["warnings"].value for one in runs if one.asset_materialization]
    assert told == [WARNING, WARNING]

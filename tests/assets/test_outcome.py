"""How a run with failed samples ends: by a check on `annotation_run`, after its files, and never as a success."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from grounding_assets.core.spec.settings import Spec
from grounding_assets.graph import build_defs
from tests.core.workspaces import picture_rows, write_input
from tests.storages import fresh_instance

CHECK = "every_sample_has_a_result"
RUN = dg.AssetKey(["tested", "annotation_run"])


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with fresh_instance() as instance:
        yield instance


@pytest.fixture
def job(tmp_path: Path) -> dg.JobDefinition:
    """A run of three samples, of which the image of one is missing."""
    rows = picture_rows(tmp_path, 3)
    write_input(tmp_path / "input.jsonl", rows)
    image = tmp_path / str(rows[1]["image_path"])
    image.rename(f"{image}.away")
    spec = Spec.model_validate(
        {
            "results_dir": str(tmp_path / "results"),
            "image_grounding": {
                "vlm": {"backend": "local"},
                "data": {
                    "name": "tested",
                    "input_jsonl": str(tmp_path / "input.jsonl"),
                    "image_root": str(tmp_path),
                },
                "export": {"formats": ["odvg"], "allow_demo_teacher": True},
            },
        }
    )
    return build_defs(spec).resolve_job_def("annotate_pending")


def failed_steps(result: dg.ExecuteInProcessResult) -> list[str]:
    return [str(event.step_key) for event in result.all_events if event.is_step_failure]


def check_passed(result: dg.ExecuteInProcessResult) -> bool:
    (evaluation,) = [e for e in result.get_asset_check_evaluations() if e.check_name == CHECK]
    assert evaluation.asset_key == RUN and evaluation.severity == dg.AssetCheckSeverity.ERROR
    return evaluation.passed


def test_only_the_check_fails_and_everything_is_written(
    job: dg.JobDefinition, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    result = job.execute_in_process(instance=instance, raise_on_error=False)
    assert not result.success and failed_steps(result) == [f"tested__{CHECK}"]
    assert not check_passed(result)
    made = {
        event.asset_key.path[-1] for event in result.get_asset_materialization_events() if event.asset_key
    }
    assert {"annotations", "report", "export_odvg"} <= made
    assert (tmp_path / "results" / "report.html").is_file()

    (away,) = tmp_path.rglob("*.away")
    away.rename(away.with_suffix(""))
    healed = job.execute_in_process(instance=instance)
    assert healed.success and check_passed(healed)


def test_without_the_check_the_annotation_fails_the_run_and_writes_the_files_before(
    job: dg.JobDefinition, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    layer = job.asset_layer
    checks = {key for key in layer.asset_graph.asset_check_keys if key.name != CHECK}
    without = job.get_subset(asset_selection=set(layer.executable_asset_keys), asset_check_selection=checks)
    result = without.execute_in_process(instance=instance, raise_on_error=False)
    assert failed_steps(result) == ["tested__annotate"]
    written = {
        name: (tmp_path / "results" / name).read_text(encoding="utf-8").count("\n")
        for name in ("annotations.jsonl", "failures.jsonl")
    }
    assert written == {"annotations.jsonl": 2, "failures.jsonl": 1}

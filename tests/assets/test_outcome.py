"""How a run with failed samples ends: by a check on `annotation_run`, after its files, and never as a success."""

import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from grounding_assets.assets.outcome import Outcome
from grounding_assets.core.annotation.summary import RunSummary
from grounding_assets.core.errors import Interrupted, RunStopped, SpecError
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


@pytest.mark.parametrize(
    ("summary", "exit_code"),
    [
        (RunSummary(pending=2, done=2), 0),
        (
            RunSummary(
                pending=2, done=1, failed_by_reason=Counter(refused=1), first_failures=["b: refused: no"]
            ),
            1,
        ),
        (RunSummary(pending=2, done=1), 1),
        (RunSummary(pending=2, done=2, without_step_0=1), 1),
        (RunSummary(pending=2, done=1, in_batches=1, batch_words="1 request is under way"), 3),
        (RunSummary(pending=2, done=1, in_batches=1), 3),
        (RunSummary(pending=3, done=1, in_batches=1, batch_words="1 request is under way"), 1),
        (RunSummary(pending=2, stopped_by=RunStopped("The key is wrong.")), 1),
        (RunSummary(pending=2, stopped_by=SpecError("There is no such model.")), 2),
        (RunSummary(pending=2, stopped_by=Interrupted(signal.SIGTERM)), 143),
    ],
)
def test_the_exit_code_is_read_from_what_is_kept(summary: RunSummary, exit_code: int) -> None:
    outcome = Outcome.of(summary)
    kept = dg.AssetMaterialization(RUN, metadata=outcome.to_metadata())
    assert Outcome.of_materialization(kept) == outcome
    assert outcome.exit_code == exit_code and outcome.is_interrupted == (exit_code > 128)


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

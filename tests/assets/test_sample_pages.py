"""What Dagster knows of a single sample: its phrases, or why it failed and what to do."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from grounding_assets.core.errors import Reason
from grounding_assets.core.spec.settings import Spec
from grounding_assets.graph import build_defs
from tests.core.workspaces import picture_rows, write_input
from tests.storages import fresh_instance

KEY = {
    name: dg.AssetKey(["tested", name])
    for name in ("expressions", "groundings", "annotation_run", "annotations")
}


@pytest.fixture
def run(tmp_path: Path) -> Iterator[tuple[dg.ExecuteInProcessResult, dg.DagsterInstance]]:
    """Three samples, of which the image of the second is missing; a rejected line, and two that repeat the first."""
    rows: list[Any] = picture_rows(tmp_path, 3)
    rows[0]["caption"] = "a `dog` and ![x](javascript:alert(1)) a cat"
    write_input(tmp_path / "input.jsonl", [*rows, b"{}", rows[0], rows[0]])
    (tmp_path / str(rows[1]["image_path"])).unlink()
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
            },
        }
    )
    job = build_defs(spec).resolve_job_def("annotate_pending")
    with fresh_instance() as instance:
        yield job.execute_in_process(instance=instance, raise_on_error=False), instance


def shown(event: Any) -> dict[str, Any]:
    return {name: value.value for name, value in event.metadata.items()}


def test_a_failed_sample_says_reason_message_and_remedy_on_the_page_of_each_step(run, tmp_path: Path) -> None:
    _, instance = run
    for asset in ("expressions", "groundings"):
        [record] = instance.fetch_observations(KEY[asset], limit=10).records
        observation = record.event_log_entry.asset_observation
        told = shown(observation)
        assert observation.partition == "0001"
        assert observation.description.startswith("Step 0 failed (image_missing): ")
        assert (told["reason"], told["step"]) == ("image_missing", "0")
        assert "0001.png" in told["message"]
        assert told["what_to_do"].startswith(Reason.IMAGE_MISSING.remedy)
        assert Path(told["reply"]).is_file()
        assert told["photo"] == f"{tmp_path / 'results' / 'report.html'}#0001"


def test_a_finished_sample_shows_caption_and_phrases_and_holds_no_picture(run) -> None:
    _, instance = run
    records = instance.fetch_materializations(KEY["groundings"], limit=10).records
    by_partition = {r.partition_key: shown(r.asset_materialization) for r in records}
    assert set(by_partition) == {"0000", "0002"}
    told = by_partition["0000"]
    assert told["caption"] == "A `dog` and ![x](javascript:alert(1)) a cat"
    assert all(line.startswith("- `") for line in told["phrases"].splitlines())
    assert told["photo_with_boxes"].endswith("report.html#0000")
    assert not any("base64" in str(value) for value in told.values())


def test_the_run_tells_the_first_reasons_and_the_lines_that_are_no_samples(run) -> None:
    result, instance = run
    [check] = [e for e in result.get_asset_check_evaluations() if e.check_name == "every_sample_has_a_result"]
    assert "1 samples failed" in check.description and "0001: image_missing: " in check.description
    [record] = instance.fetch_materializations(KEY["annotation_run"], limit=10).records
    told = shown(record.asset_materialization)
    assert (told["rejected_lines"], told["repeated_lines"], told["failed"]) == (1, 2, 1)


def test_the_contact_sheet_has_words(run) -> None:
    _, instance = run
    [record] = instance.fetch_materializations(KEY["annotations"], limit=10).records
    sheet = shown(record.asset_materialization).get("contact_sheet")
    # the teacher of the demonstration may see nothing in a gradient: then there is no sheet
    assert sheet is None or "\n1. ``" in sheet or "\n1. `" in sheet


def test_every_reason_has_a_remedy() -> None:
    assert all(reason.remedy.endswith(".") for reason in Reason)

"""The report of a graph that has gold: it comes after the evaluation, whose figures it shows."""

import json
from pathlib import Path

import dagster as dg
import pytest

from grounding_assets.core.spec.export_settings import ExportFormat
from grounding_assets.core.spec.settings import Spec
from grounding_assets.graph import build_defs
from tests.evaluation.test_verification_effect import written
from tests.storages import fresh_instance

FORMATS: list[ExportFormat] = ["odvg", "coco"]


def spec_of(folder: Path, *, gold: bool = True) -> Spec:
    data = {"name": "tested", "input_jsonl": str(folder / "input.jsonl"), "image_root": str(folder)}
    if gold:
        data["gold_jsonl"] = str(folder / "gold.jsonl")
    return Spec.model_validate(
        {
            "results_dir": str(folder / "results"),
            "image_grounding": {"data": data, "export": {"formats": FORMATS}},
        }
    )


@pytest.mark.parametrize("gold", [True, False])
def test_the_report_comes_after_what_it_shows(tmp_path: Path, gold: bool) -> None:
    graph = build_defs(spec_of(tmp_path, gold=gold)).resolve_asset_graph()
    levels = [{key.path[-1] for key in level} for level in graph.toposorted_asset_keys_by_level]
    order = {name: level for level, names in enumerate(levels) for name in names}
    shown = [name for name in ("annotations", "evaluation") if name in order]
    assert all(order[name] < order["report"] for name in shown)
    assert ("evaluation" in order) is gold


@pytest.mark.parametrize(
    ("gold", "succeeds"),
    [({"image_path": "x.jpg"}, True), ({"width": 2000, "height": 2000}, False)],
    ids=["of no result", "of another size"],
)
def test_an_earlier_evaluation_goes_if_gold_cannot_be_held_against_results(
    tmp_path: Path, gold: dict[str, object], succeeds: bool
) -> None:
    written(tmp_path)
    file = tmp_path / "gold.jsonl"
    rows = [json.loads(line) | gold for line in file.read_text().splitlines()]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    earlier = tmp_path / "results" / "evaluation.json"
    earlier.write_text("{}")
    (tmp_path / "input.jsonl").write_text("")
    with fresh_instance() as instance:
        done = (
            build_defs(spec_of(tmp_path))
            .resolve_implicit_global_asset_job_def()
            .execute_in_process(
                instance=instance,
                asset_selection=[dg.AssetKey(["tested", "evaluation"])],
                raise_on_error=False,
            )
        )
    assert (done.success, earlier.exists()) == (succeeds, False)


def test_it_shows_what_was_measured(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / "input.jsonl").write_text("")
    defs = build_defs(spec_of(tmp_path))
    with fresh_instance() as instance:
        done = defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(["tested", name]) for name in ("report", "evaluation")],
        )
    steps = [event.step_key for event in done.all_events if event.event_type_value == "STEP_SUCCESS"]
    assert steps == ["tested__evaluation", "tested__report"]
    page = (tmp_path / "results" / "report.html").read_text(encoding="utf-8")
    assert "Boxes: precision, IoU 0.5</th><td>57.1 %</td>" in page

    [event] = done.asset_materializations_for_node("tested__evaluation")
    look = json.loads((tmp_path / "results" / "evaluation.json").read_text())["verification"]
    for name in ("boxes", "verdicts", "refuted", "refuted_wrong", "refuted_right"):
        assert event.metadata[f"verification_{name}"].value == look[name]
    table = event.metadata["verification_table"].value
    assert "| Boxes: precision, IoU 0.5 | 57.1 % | 75.0 % | +17.9 |" in str(table)

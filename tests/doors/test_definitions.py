"""Which data sets a code location serves, by real definitions."""

import os
from pathlib import Path

import dagster as dg
import pytest

from grounding_assets import definitions
from grounding_assets.core.errors import GroundingError, SpecError
from tests.core.workspaces import picture_rows, write_input
from tests.storages import fresh_instance

PARTS = {"annotate_pending", "rollup"}


def write_spec(folder: Path, name: str, file: str = "") -> Path:
    spec = folder / (file or f"{name}.yaml")
    spec.write_text(
        f"results_dir: {folder}/results_{name}\n"
        "image_grounding:\n"
        "  vlm: {backend: local}\n"
        f"  data: {{name: {name}, input_jsonl: {folder}/input.jsonl, image_root: {folder}}}\n",
        encoding="utf-8",
    )
    return spec


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_input(tmp_path / "input.jsonl", picture_rows(tmp_path, 3))
    return tmp_path


def loaded(monkeypatch: pytest.MonkeyPatch, named: str) -> dg.Definitions:
    monkeypatch.setenv("GROUNDING_SPEC", named)
    defs = definitions.defs()
    assert isinstance(defs, dg.Definitions)
    dg.Definitions.validate_loadable(defs)
    return defs


def data_sets(defs: dg.Definitions) -> set[str]:
    return {spec.key.path[0] for spec in defs.resolve_all_asset_specs()}


def jobs(defs: dg.Definitions) -> set[str]:
    return {job.name for job in defs.resolve_all_job_defs() if not job.name.startswith("__")}


def test_one_spec(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    defs = loaded(monkeypatch, str(write_spec(folder, "one")))
    assert data_sets(defs) == {"one"} and jobs(defs) == PARTS


@pytest.mark.parametrize("separator", [",", " , ", os.pathsep])
def test_several_specs(folder: Path, monkeypatch: pytest.MonkeyPatch, separator: str) -> None:
    files = [str(write_spec(folder, name)) for name in ("one", "two")]
    defs = loaded(monkeypatch, separator.join(files))
    assert data_sets(defs) == {"one", "two"}
    assert jobs(defs) == {f"{job}_{name}" for job in PARTS for name in ("one", "two")}


def test_a_folder_of_specs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    specs = folder / "my specs, all"
    specs.mkdir()
    for name, file in (("one", "1.yaml"), ("two", "2.yml")):
        write_spec(folder, name).rename(specs / file)
    (specs / "notes.txt").write_text("no spec")
    assert data_sets(loaded(monkeypatch, str(specs))) == {"one", "two"}


def test_a_run_of_one_of_two_data_sets_leaves_the_other_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    defs = loaded(monkeypatch, ",".join(str(write_spec(folder, name)) for name in ("one", "2nd")))
    with fresh_instance() as instance:
        config = {"workflow": {"steps": ["0"]}}
        done = defs.resolve_job_def("annotate_pending_2nd").execute_in_process(
            run_config={"resources": {"dataset_2nd": {"config": config}}}, instance=instance
        )
        assert done.success
        assert {
            event.asset_key.path[0] for event in done.get_asset_materialization_events() if event.asset_key
        } == {"2nd"}
        rolled_up = defs.resolve_job_def("rollup_2nd").execute_in_process(instance=instance)
    written = {
        event.asset_key.path[0] for event in rolled_up.get_asset_materialization_events() if event.asset_key
    }
    assert written == {"2nd"}
    assert (folder / "results_2nd" / "annotations.jsonl").is_file()
    assert not (folder / "results_one").exists()


def test_two_specs_of_one_name_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [str(write_spec(folder, "same", file)) for file in ("a.yaml", "b.yaml")]
    with pytest.raises(SpecError, match="Two specs name a data set 'same'"):
        loaded(monkeypatch, ",".join(files))


@pytest.mark.parametrize("named", ["absent.yaml", "empty", "one.yaml,absent.yaml"])
def test_what_is_not_there_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    write_spec(folder, "one")
    (folder / "empty").mkdir()
    with pytest.raises(GroundingError, match=r"No spec at absent\.yaml|folder empty, which holds no"):
        loaded(monkeypatch, named)

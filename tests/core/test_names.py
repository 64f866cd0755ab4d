"""A results folder keeps its data set's name wherever it lies, and shares it with no other folder."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from grounding_assets.core.dataset.names import NAME_FILE, dataset_name, name_of_path, proposed_name
from grounding_assets.core.errors import InputError, RunStopped
from grounding_assets.core.spec.loading import validate_spec
from grounding_assets.core.spec.settings import Spec
from grounding_assets.core.steps import Step


def name(results_dir: Path | str) -> str:
    return dataset_name(Spec(results_dir=str(results_dir)))


def test_a_given_name_counts_and_writes_nothing(tmp_path: Path) -> None:
    data = {"results_dir": str(tmp_path / "r"), "image_grounding": {"data": {"name": "mine"}}}
    assert dataset_name(validate_spec(data, where="test")) == "mine"
    assert list(tmp_path.iterdir()) == []


def test_a_new_folder_gets_a_name_once(tmp_path: Path) -> None:
    folder = tmp_path / "My results"
    first = name(folder)
    assert first.startswith("my_results_") and name(folder) == proposed_name(folder) == first


def test_a_folder_with_results_is_called_by_its_path_as_before(tmp_path: Path) -> None:
    (tmp_path / "r" / Step.EXTRACTION.folder).mkdir(parents=True)
    assert name(tmp_path / "r") == name_of_path(tmp_path / "r")
    (tmp_path / "r").rename(tmp_path / "elsewhere")
    assert name(tmp_path / "elsewhere") == name_of_path(tmp_path / "r")


def test_a_folder_that_is_moved_keeps_its_name_and_a_copy_does_not(tmp_path: Path) -> None:
    first = name(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    assert name(tmp_path / "b") == first
    shutil.copytree(tmp_path / "b", tmp_path / "copy")
    assert name(tmp_path / "copy") != first
    assert name(tmp_path / "b") == first


def test_another_folder_at_the_same_path_has_another_name(tmp_path: Path) -> None:
    first = name(tmp_path / "mounted")
    (tmp_path / "mounted").rename(tmp_path / "away")
    assert name(tmp_path / "mounted") != first


def test_one_folder_under_two_paths_has_one_name(tmp_path: Path) -> None:
    first = name(tmp_path / "a")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert name(tmp_path / "link") == name(tmp_path / "a") == first


def test_two_that_come_at_the_same_time_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(name, [tmp_path / "r"] * 32))) == 1


@pytest.mark.parametrize("folder", ["a b/ü!", "...x", "x" * 200, "_"])
def test_names_are_fit_for_dagster(tmp_path: Path, folder: str) -> None:
    for given in (name(tmp_path / folder), name_of_path(tmp_path / folder)):
        assert validate_spec(
            {"results_dir": "r", "image_grounding": {"data": {"name": given}}}, where="test"
        ).data.name == given  # fmt: skip


def test_a_relative_folder_means_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert name("out") == name(tmp_path / "out")


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"name": "a/b", "folder": "/"}', '{"name": "a"}', "null"]
)
def test_a_damaged_name_is_no_name(tmp_path: Path, content: str) -> None:
    (tmp_path / NAME_FILE).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=f"{NAME_FILE} is damaged. Delete it"):
        name(tmp_path)


def test_a_place_where_no_folder_can_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunStopped, match="Cannot write"):
        name(tmp_path / "file" / "results")

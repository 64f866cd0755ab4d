"""Splits: by image, seeded, stable, about the size asked for."""

import json
import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from grounding_assets.core.exports import export
from grounding_assets.core.exports.splits import image_identity, split_of
from grounding_assets.core.spec.export_settings import ExportSpec
from tests.exports.record_strategies import one_record

THREE = {"train": 0.8, "val": 0.1, "test": 0.1}


def images_by_split(out):
    return {
        split: {json.loads(line)["file_name"] for line in (out / f"{split}.jsonl").open()} for split in THREE
    }


def test_no_image_is_in_two_splits_and_adding_samples_moves_none(tmp_path):
    rows = [
        one_record(image_path=f"{'./' if n % 3 else ''}photos/{n % 200}.jpg", caption=f"{n}")
        for n in range(600)
    ]
    export(rows, tmp_path / "few", "odvg", ExportSpec(fractions=THREE, seed=5))
    more = [one_record(image_path=f"more/{n}.jpg") for n in range(300)]
    export([*more, *reversed(rows)], tmp_path / "many", "odvg", ExportSpec(fractions=THREE, seed=5))
    few, many = images_by_split(tmp_path / "few"), images_by_split(tmp_path / "many")
    normal = {split: {posixpath.normpath(path) for path in paths} for split, paths in few.items()}
    assert sum(len(paths) for paths in normal.values()) == 200 == len(set.union(*normal.values()))
    for split in THREE:
        assert {path for path in many[split] if not path.startswith("more/")} == few[split]


def test_fractions_hold_on_average_and_the_seed_matters():
    images = [f"{n}.jpg" for n in range(20_000)]
    settings = ExportSpec(fractions=THREE, seed=1)
    splits = [split_of(image, settings) for image in images]
    for name, fraction in THREE.items():
        # binomial: four standard deviations of the share of 20,000
        assert (
            abs(splits.count(name) / len(images) - fraction) < 4 * (fraction * (1 - fraction) / 20_000) ** 0.5
        )
    other = ExportSpec(fractions=THREE, seed=2)
    moved = sum(split_of(image, settings) != split_of(image, other) for image in images)
    # two independent deals agree with 0.8**2 + 2 * 0.1**2 = 0.66
    assert abs(moved / len(images) - 0.34) < 0.02


@given(st.text(st.characters(exclude_categories=("Cs",))), st.integers())
def test_every_image_has_a_split(path, seed):
    assert (
        split_of(image_identity(path), ExportSpec(fractions={"a": 0.3, "b": 0.3, "c": 0.4}, seed=seed))
        in "abc"
    )


@pytest.mark.parametrize(
    ("fractions", "message"),
    [
        ({"train": 0.8, "val": 0.1}, "add up to 0.9"),
        ({"../train": 1.0}, "cannot name a split"),
        ({"": 1.0}, "cannot name a split"),
        ({"train": 0.5, "Export": 0.5}, "cannot name a split"),
        ({"train": 1.5, "val": -0.5}, "fraction of split 'train' is 1.5"),
        ({}, "add up to 0"),
    ],
)
def test_wrong_splits_are_refused(fractions, message):
    with pytest.raises(ValidationError, match=message):
        ExportSpec(fractions=fractions)

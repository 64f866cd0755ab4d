"""Splits: by image, seeded, stable, about the size asked for."""

import json
import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grounding_assets.core.errors import SpecError
from grounding_assets.core.exports import SplitOptions, export
from grounding_assets.core.exports.splits import image_identity
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
    export(rows, tmp_path / "few", "odvg", split=SplitOptions(THREE, seed=5))
    more = [one_record(image_path=f"more/{n}.jpg") for n in range(300)]
    export([*more, *reversed(rows)], tmp_path / "many", "odvg", split=SplitOptions(THREE, seed=5))
    few, many = images_by_split(tmp_path / "few"), images_by_split(tmp_path / "many")
    normal = {split: {posixpath.normpath(path) for path in paths} for split, paths in few.items()}
    assert sum(len(paths) for paths in normal.values()) == 200 == len(set.union(*normal.values()))
    for split in THREE:
        assert {path for path in many[split] if not path.startswith("more/")} == few[split]


def test_fractions_hold_on_average_and_the_seed_matters():
    images = [f"{n}.jpg" for n in range(20_000)]
    options = SplitOptions(THREE, seed=1)
    splits = [options.split_of(image) for image in images]
    for name, fraction in THREE.items():
        # binomial: four standard deviations of the share of 20,000
        assert (
            abs(splits.count(name) / len(images) - fraction) < 4 * (fraction * (1 - fraction) / 20_000) ** 0.5
        )
    other = SplitOptions(THREE, seed=2)
    moved = sum(options.split_of(image) != other.split_of(image) for image in images)
    # two independent deals agree with 0.8**2 + 2 * 0.1**2 = 0.66
    assert abs(moved / len(images) - 0.34) < 0.02


@given(st.text(st.characters(exclude_categories=("Cs",))), st.integers())
def test_every_image_has_a_split(path, seed):
    assert SplitOptions({"a": 0.3, "b": 0.3, "c": 0.4}, seed).split_of(image_identity(path)) in "abc"


@pytest.mark.parametrize(
    ("fractions", "message"),
    [
        ({"train": 0.8, "val": 0.1}, "add up to 0.9"),
        ({"../train": 1.0}, "cannot name a split"),
        ({"": 1.0}, "cannot name a split"),
        ({"train": 1.5, "val": -0.5}, "fraction of split 'train' is 1.5"),
        ({}, "add up to 0"),
    ],
)
def test_wrong_splits_are_refused(fractions, message):
    with pytest.raises(SpecError, match=message):
        SplitOptions(fractions)

"""The levels that the embedded teacher holds on photos with human boxes."""

import asyncio

import pytest

from bench.local_teacher import Figures, measure
from grounding_assets.core.spec.model_settings import LocalSpec
from tests.corpus import needs_corpus

pytestmark = needs_corpus("coco24")


@pytest.fixture(scope="module")
def figures() -> Figures:
    return asyncio.run(measure(LocalSpec()))


def test_singular_expressions_are_right(figures: Figures) -> None:
    assert figures.singular.total() >= 120
    assert figures.share("singular", "right") >= 0.80


def test_the_corpus_own_singular_phrases_are_right(figures: Figures) -> None:
    assert figures.derived.total() >= 90
    assert figures.share("derived", "right") >= 0.80
    assert figures.derived["missed"] == 0


def test_plural_expressions_are_seldom_wrong(figures: Figures) -> None:
    assert figures.share("plural", "right") >= 0.60
    assert figures.share("plural", "wrong") <= 0.15


def test_absent_classes_seldom_get_a_box(figures: Figures) -> None:
    assert figures.absent.total() >= 3000
    assert figures.share("absent", "boxed") <= 0.08


def test_nothing_outside_the_vocabulary_gets_a_box(figures: Figures) -> None:
    assert figures.unknown["empty"] >= 100
    assert figures.unknown["boxed"] == 0

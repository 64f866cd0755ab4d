"""The embedded teacher as the pipeline uses it: prepare, extract, ground."""

import asyncio
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from grounding_assets.core.annotation.teacher import Teacher
from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.records import Expression, Grounding, GroundingStatus
from grounding_assets.core.spec.model_settings import LocalSpec
from resources.local_teacher.pixels import LocalImage
from resources.local_teacher.teacher import DEMONSTRATION_NOTICE, LocalTeacher, to_pixels

DEMO = Path(__file__).resolve().parents[2] / "demo"
PHOTOS = DEMO / "images"


async def annotate(teacher: Teacher[LocalImage], photo: Path, caption: str) -> Grounding:
    image = teacher.prepare(photo)
    extraction = await teacher.extract(image, caption)
    return await teacher.ground(image, extraction.cleaned_caption, extraction.expressions)


def run(photo: Path, caption: str, settings: LocalSpec | None = None) -> dict[str, Expression]:
    grounding = asyncio.run(annotate(LocalTeacher(settings), photo, caption))
    return {expression.text: expression for expression in grounding.expressions}


def test_the_three_ways_to_answer() -> None:
    found = run(PHOTOS / "coffee.jpg", "There is a cup on a red saucer, and an elephant.")
    cup, saucer, elephant = found["A cup"], found["a red saucer"], found["an elephant"]
    assert cup.grounding_status is GroundingStatus.BOXED
    assert len(cup.instances) == 1
    assert cup.instances[0].score_source == "model"
    assert cup.instances[0].score == round(cup.instances[0].score, 4)
    assert saucer.grounding_status is GroundingStatus.OUT_OF_VOCABULARY
    assert saucer.instances == ()
    assert elephant.grounding_status is GroundingStatus.NONE_SEEN
    assert elephant.instances == ()


@pytest.fixture(scope="module")
def demonstrated() -> list[tuple[Path, str, dict[str, Expression]]]:
    """Each sample of the demonstration, annotated alone: photo, caption and what was found."""
    lines = (DEMO / "captions.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [(DEMO / row["image_path"], row["caption"]) for row in map(json.loads, lines)]
    return [(photo, caption, run(photo, caption)) for photo, caption in rows]


def test_demonstration_is_annotated_within_the_format(
    demonstrated: list[tuple[Path, str, dict[str, Expression]]],
) -> None:
    assert len({path for path, _, _ in demonstrated}) >= 4
    for path, _, found in demonstrated:
        statuses = {expression.grounding_status for expression in found.values()}
        assert GroundingStatus.BOXED in statuses
        assert statuses <= {GroundingStatus.BOXED, GroundingStatus.OUT_OF_VOCABULARY}
        with Image.open(path) as photo:
            width, height = photo.size
        for expression in found.values():
            for instance in expression.instances:
                x1, y1, x2, y2 = instance.bbox
                assert 0 <= x1 < x2 <= width
                assert 0 <= y1 < y2 <= height
                assert all(type(side) is int for side in instance.bbox)


def test_provenance_of_both_steps() -> None:
    async def both() -> list[dict[str, object]]:
        teacher = LocalTeacher(LocalSpec(single_threshold=0.25, plural_threshold=0.4))
        image = teacher.prepare(PHOTOS / "chelsea.jpg")
        extraction = await teacher.extract(image, "a cat")
        grounding = await teacher.ground(image, extraction.cleaned_caption, extraction.expressions)
        await teacher.aclose()
        return [dict(extraction.provenance), dict(grounding.provenance)]

    for provenance in asyncio.run(both()):
        json.dumps(provenance)
        assert provenance["backend"] == "local"
        assert provenance["model"] == "ssdlite_mobilenet_v2_coco_fp16"
        assert provenance["teacher_version"]
        assert provenance["convention"] == "yxyx_norm"
        assert provenance["sent_size"] == [300, 300]
        assert provenance["calls"] == provenance["tokens_in"] == provenance["tokens_out"] == 0
        assert provenance["settings"] == {
            "single_threshold": 0.25,
            "plural_threshold": 0.4,
            "tiles": True,
        }
        assert len(str(provenance["image_sha256"])) == 64


def test_a_caption_that_is_not_english_says_so() -> None:
    teacher = LocalTeacher()
    image = teacher.prepare(PHOTOS / "chelsea.jpg")
    extraction = asyncio.run(teacher.extract(image, "Eine Katze schaut nach rechts.\n"))
    assert extraction.cleaned_caption == "Eine Katze schaut nach rechts."
    assert extraction.expressions == ()
    assert extraction.provenance["english"] is False


def test_thresholds_are_those_of_the_settings() -> None:
    caption = "A cup and two tables."
    everything = run(PHOTOS / "coffee.jpg", caption)
    strict = run(PHOTOS / "coffee.jpg", caption, LocalSpec(single_threshold=0.99, plural_threshold=0.35))
    assert everything["A cup"].instances
    assert strict["A cup"].grounding_status is GroundingStatus.NONE_SEEN
    assert strict["two tables"] == everything["two tables"]
    strict = run(PHOTOS / "coffee.jpg", caption, LocalSpec(single_threshold=0.2, plural_threshold=0.99))
    assert strict["two tables"].grounding_status is GroundingStatus.NONE_SEEN
    assert strict["A cup"] == everything["A cup"]


def test_number_limits_the_boxes() -> None:
    loose = LocalSpec(single_threshold=0.05, plural_threshold=0.05)
    found = run(PHOTOS / "coffee.jpg", "Cups, two cups and a cup.", loose)
    numbers = {text: len(expression.instances) for text, expression in found.items()}
    assert numbers["Cups"] > 2
    assert numbers["two cups"] == 2
    assert numbers["a cup"] == 1
    scores = [instance.score for instance in found["Cups"].instances]
    assert scores == sorted(scores, reverse=True)


def test_expressions_from_elsewhere_are_kept_in_order() -> None:
    teacher = LocalTeacher()
    image = teacher.prepare(PHOTOS / "chelsea.jpg")
    given_ones = [
        Expression("the sleeping animal", (4, 23), "animal", span_status="repaired"),
        Expression("THE CAT", (30, 37), "THE CAT"),
        Expression("the cat's nose", (0, 14), "nose"),
    ]
    grounding = asyncio.run(teacher.ground(image, "anything", given_ones))
    for before, after in zip(given_ones, grounding.expressions, strict=True):
        assert (before.text, before.char_span, before.noun_chunk, before.span_status) == (
            after.text, after.char_span, after.noun_chunk, after.span_status,
        )  # fmt: skip
    assert [len(expression.instances) for expression in grounding.expressions] == [0, 1, 0]
    assert asyncio.run(teacher.ground(image, "", [])).expressions == ()


def test_many_samples_at_once_give_what_one_at_a_time_gives(
    demonstrated: list[tuple[Path, str, dict[str, Expression]]],
) -> None:
    async def together() -> list[Grounding]:
        teacher = LocalTeacher()
        return await asyncio.gather(
            *(annotate(teacher, photo, caption) for photo, caption, _ in demonstrated)
        )

    for (_, _, alone), grounding in zip(demonstrated, asyncio.run(together()), strict=True):
        assert grounding.expressions == tuple(alone.values())


def test_a_rotated_photo_gives_the_boxes_of_the_upright_one(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its left side: the viewer turns it clockwise
    with Image.open(PHOTOS / "coffee.jpg") as photo:
        photo.rotate(90, expand=True).save(tmp_path / "lying.jpg", quality=95, exif=exif)
    upright = run(PHOTOS / "coffee.jpg", "a cup")["A cup"].instances[0].bbox
    turned = run(tmp_path / "lying.jpg", "a cup")["A cup"].instances[0].bbox
    assert np.abs(np.subtract(upright, turned)).max() <= 15


def test_missing_photo() -> None:
    with pytest.raises(SampleFailure, match=r"nothing\.jpg") as failure:
        LocalTeacher().prepare(PHOTOS / "nothing.jpg")
    assert failure.value.reason is Reason.IMAGE_MISSING


@pytest.mark.parametrize("threshold", [-1.0, 0.04, 1.01, math.nan, math.inf])
@pytest.mark.parametrize("name", ["single_threshold", "plural_threshold"])
def test_thresholds_out_of_range_are_named(name: str, threshold: float) -> None:
    with pytest.raises(ValidationError, match=name):
        LocalSpec.model_validate({name: threshold})


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ({}, (0.24, 0.4)),
        ({"tiles": False}, (0.2, 0.35)),
        ({"tiles": False, "single_threshold": 0.3}, (0.3, 0.35)),
        ({"plural_threshold": 0.05}, (0.24, 0.05)),
    ],
)
def test_each_way_to_look_has_thresholds_of_its_own(given: dict[str, Any], used: tuple[float, float]) -> None:
    settings = LocalSpec.model_validate(given).in_use
    assert (settings.single_threshold, settings.plural_threshold) == used


def test_notice_is_one_line() -> None:
    assert "80 kinds of things" in DEMONSTRATION_NOTICE
    assert "\n" not in DEMONSTRATION_NOTICE


fractions = st.floats(0, 1, width=32)


@given(
    st.tuples(fractions, fractions),
    st.tuples(fractions, fractions),
    st.integers(1, 9999),
    st.integers(1, 9999),
)
def test_boxes_in_pixels_lie_inside_and_have_area(
    xs: tuple[float, float], ys: tuple[float, float], width: int, height: int
) -> None:
    box_norm = np.array([min(xs), min(ys), max(xs), max(ys)], dtype=np.float32)
    x1, y1, x2, y2 = to_pixels(box_norm, (width, height))
    assert 0 <= x1 < x2 <= width
    assert 0 <= y1 < y2 <= height
    assert abs(x1 - min(xs) * width) <= 1.5
    assert abs(y2 - max(ys) * height) <= 1.5

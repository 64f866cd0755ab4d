"""What a caption's words without a box mean to a loader, and captions that are too long for one."""

import json

import pytest

from grounding_assets.core.exports import export
from grounding_assets.core.spec.export_settings import ExportSpec
from tests.exports.record_strategies import one_expression, one_record

CAPTION = "A dog beside a cat with a hat on a lawn."
DOG, CAT, LAWN = [0, 0, 50, 50], [50, 50, 90, 90], [0, 0, 640, 480]
MIN_SCORE, NO_SCENES, DROP = (
    ExportSpec(min_score=0.5),
    ExportSpec(max_box_share=0.9),
    ExportSpec(drop_unboxed=True),
)


def rows_of(cat_score=0.9, hat="none_seen"):
    absent = one_expression("a hat", 24, [])
    absent["grounding_status"] = hat
    return [
        one_record(
            cleaned_caption=CAPTION,
            expressions=[
                one_expression("A dog", 0, [DOG]),
                one_expression("a cat", 13, [CAT], scores=[cat_score]),
                absent,
                one_expression("a lawn", 33, [LAWN]),
            ],
        )
    ]


NEGATIVES = {
    "nothing is left out": (rows_of(), ExportSpec(), CAPTION),
    "all boxes of a phrase below min_score": (rows_of(0.4), MIN_SCORE, "A dog . a hat . a lawn ."),
    "a scene-sized box": (rows_of(), NO_SCENES, "A dog . a cat . a hat ."),
    "unboxed phrases dropped": (rows_of(), DROP, "A dog . a cat . a lawn ."),
    "a phrase that the reply does not mention": (
        rows_of(hat="not_mentioned"),
        ExportSpec(),
        "A dog . a cat . a lawn .",
    ),
    "a phrase that the teacher does not know": (
        rows_of(hat="out_of_vocabulary"),
        ExportSpec(),
        "A dog . a cat . a lawn .",
    ),
}


@pytest.mark.parametrize(("rows", "settings", "caption"), NEGATIVES.values(), ids=NEGATIVES)
def test_only_what_the_teacher_did_not_see_is_a_negative(tmp_path, rows, settings, caption):
    """Loaders take the words that no region covers for what the image does not show."""
    report = export(rows, tmp_path / "odvg", "odvg", settings)
    [line] = (tmp_path / "odvg" / "train.jsonl").read_text().splitlines()
    grounding = json.loads(line)["grounding"]
    assert grounding["caption"] == caption
    for region in grounding["regions"]:
        [[start, end]] = region["tokens_positive"]
        assert caption[start:end] == region["phrase"]
    export(rows, tmp_path / "mdetr", "mdetr", settings)
    document = json.loads((tmp_path / "mdetr" / "train.json").read_text())
    assert [image["caption"] for image in document["images"]] == [caption]
    marked = {caption[slice(*a["tokens_positive"][0])] for a in document["annotations"]}
    assert marked == {region["phrase"] for region in grounding["regions"]}
    assert sum(report.notes.values()) == (caption != CAPTION)


def test_a_left_out_phrase_inside_a_boxed_one_leaves_the_caption_as_it_is(tmp_path):
    caption = "a man with a dog"
    expressions = [one_expression(caption, 0, [DOG]), one_expression("a dog", 11, [CAT], scores=[0.1])]
    export([one_record(cleaned_caption=caption, expressions=expressions)], tmp_path, "odvg", MIN_SCORE)
    assert json.loads((tmp_path / "train.jsonl").read_text())["grounding"]["caption"] == caption


@pytest.mark.parametrize(("words", "long"), [(200, 0), (300, 1)])
def test_captions_beyond_the_encoders_and_empty_splits_are_said(tmp_path, words, long):
    row = one_record(
        cleaned_caption="A dog" + " runs" * words, expressions=[one_expression("A dog", 0, [DOG])]
    )
    report = export([row], tmp_path, "odvg", ExportSpec(fractions={"train": 0.5, "val": 0.5}))
    [empty] = report.empty_splits
    card = (tmp_path / "README.md").read_text()
    assert f"Split `{empty}` is empty." in card
    assert ("| captions of about 256 tokens or more, which loaders cut | 1 |" in card) == bool(long)
    assert sum(report.notes.values()) == long

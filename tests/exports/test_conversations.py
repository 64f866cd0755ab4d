"""Training data of vision-language models, read back by this project's own decoder and as their documents say."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from grounding_assets.core.boxes.coordinates import CONVENTIONS, decode
from grounding_assets.core.errors import SpecError
from grounding_assets.core.exports import export
from grounding_assets.core.exports.chat_writers import LlamaFactoryWriter, QwenVlWriter
from grounding_assets.core.replies.grounding import parse_grounding
from grounding_assets.core.spec.export_settings import ExportSpec
from resources.exporting import chat_model
from tests.endpoints.frames import smart_resize
from tests.exports.record_strategies import one_expression, one_record, record_lists
from tests.grid import grid_error_px

CAPTION = "A red car is parked beside a tree, not a bus."
SIZE = (1333, 777)
CAR, TREES = [10, 20, 300, 400], [[300, 0, 640, 470], [1331, 775, 1333, 777]]
MODELS = ["qwen3_vl", "Qwen/Qwen2.5-VL-7B-Instruct", "google/gemma-3-27b-it", "zai-org/GLM-4.5V"]


def row(**fields: Any) -> dict[str, Any]:
    return (
        one_record(
            width=SIZE[0],
            height=SIZE[1],
            cleaned_caption=CAPTION,
            expressions=[
                one_expression("A red car", 0, [CAR]),
                one_expression("a tree", 27, TREES),
                one_expression("a bus", 39, []),
            ],
        )
        | fields
    )


def lines_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "train.jsonl").read_text(encoding="ascii").splitlines()]


def turns(line: dict[str, Any]) -> tuple[str, str]:
    """Question and answer, whichever trainer's."""
    if "messages" in line:
        question, answer = line["messages"]
        assert (question["role"], answer["role"]) == ("user", "assistant")
        assert line["images"] and question["content"].count("<image>") == len(line["images"])
        return question["content"], answer["content"]
    question, answer = line["conversations"]
    assert (question["from"], answer["from"]) == ("human", "gpt")
    assert question["value"].startswith("<image>\n") and isinstance(line["image"], str)
    return question["value"], answer["value"]


def filled(line: dict[str, Any]) -> tuple[str, str]:
    """Question and answer with the placeholders filled in order, as ms-swift's documentation has it."""
    refs, boxes = iter(line["objects"]["ref"]), iter(line["objects"]["bbox"])
    texts = [
        re.sub(
            "<ref-object>|<bbox>",
            lambda at: next(refs) if at[0] == "<ref-object>" else str(next(boxes)),
            text,
        )
        for text in turns(line)
    ]
    assert not [*refs, *boxes]
    return texts[0], texts[1]


def boxes_of(text: str, name: str, seen_size: tuple[int, int]) -> list[list[float]]:
    """In pixels of the original, by the project's own reader of replies."""
    convention = CONVENTIONS[chat_model(name).convention.name]
    found = [box for entry in parse_grounding(text).entries for box in entry.boxes]
    return [list(decode(box, convention, seen_size, SIZE)) for box in found]


def assert_near(
    found: list[list[float]], wanted: list[list[int]], name: str, seen_size: tuple[int, int]
) -> None:
    """Within rounding; a box too thin for the grid is one step wide."""
    error = [2 * e + 1e-6 for e in grid_error_px(chat_model(name).convention, seen_size, SIZE)] * 2
    assert len(found) == len(wanted)
    for box, original in zip(found, wanted, strict=True):
        assert all(abs(a - b) <= most for a, b, most in zip(box, original, error, strict=True)), (
            box,
            original,
        )


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("task", ["grounding", "detailed", "referring"])
@pytest.mark.parametrize("fmt", ["qwen_vl", "llama_factory"])
def test_boxes_come_back_through_the_projects_own_decoder(tmp_path, fmt, task, name):
    rows = [row(expressions=row()["expressions"][:2])]
    export(rows, tmp_path, fmt, ExportSpec(task=task, target_model=name), chat_model=chat_model(name))
    trainer = (QwenVlWriter if fmt == "qwen_vl" else LlamaFactoryWriter).trainer
    seen_size = trainer.seen_size(SIZE, 28) if chat_model(name).writes_pixels else SIZE
    texts = [turns(line) for line in lines_of(tmp_path)]
    if task == "referring":
        assert [answer for _, answer in texts] == ["A red car", "a tree"]
        written = [box for question, _ in texts for box in boxes_of(question, name, seen_size)]
        assert_near(written, [CAR, *TREES], name, seen_size)
        return
    [(_, answer)] = texts
    assert answer.startswith(CAPTION + "\n") == (task == "detailed")
    assert_near(boxes_of(answer, name, seen_size), [CAR, *TREES], name, seen_size)
    labels = [entry["label"] for entry in json.loads(answer[answer.index("[") :])]
    assert labels == ["A red car", "a tree", "a tree"]


@pytest.mark.parametrize("size", [(640, 480), (4000, 3000), (30, 20), (28, 5000), (1333, 777), (500, 4999)])
def test_the_trainers_resize_is_qwens_own(size):
    assert QwenVlWriter.trainer.seen_size(size, 28)[0] % 28 == 0
    within = type(QwenVlWriter.trainer)(4 * 28 * 28, 1280 * 28 * 28)
    if min(size) >= 28:
        assert within.seen_size(size, 28) == smart_resize(size)


MS_SWIFT = {
    "grounding": (
        [
            (
                "<image>Locate every instance of A red car, a tree in the image.",
                f"A red car{CAR}\na tree{TREES[0]}{TREES[1]}",
            )
        ]
    ),
    "detailed": (
        [
            (
                "<image>Describe the image and locate what the description mentions.",
                f"A red car{CAR} is parked beside a tree{TREES[0]}{TREES[1]}.",
            )
        ]
    ),
    "referring": (
        [
            (f"<image>Give an expression that refers to what is at {CAR}.", "A red car"),
            (f"<image>Give an expression that refers to what is at {TREES[0]}{TREES[1]}.", "a tree"),
        ]
    ),
}


@pytest.mark.parametrize(("task", "wanted"), MS_SWIFT.items(), ids=MS_SWIFT)
def test_ms_swift_fills_the_placeholders_in_order(tmp_path, task, wanted):
    caption = "A red car is parked beside a tree."
    rows = [row(cleaned_caption=caption, expressions=row()["expressions"][:2])]
    export(rows, tmp_path, "ms_swift", ExportSpec(task=task))
    assert [filled(line) for line in lines_of(tmp_path)] == wanted


@settings(max_examples=60, deadline=None)
@given(rows=record_lists)
def test_any_text_fills_its_placeholders(rows, tmp_path_factory):
    for task in ("grounding", "detailed", "referring"):
        out = tmp_path_factory.mktemp(task)
        export(rows, out, "ms_swift", ExportSpec(task=task, refusals=True))
        for line in lines_of(out):
            filled(line)


@pytest.mark.parametrize("fmt", ["ms_swift", "qwen_vl", "llama_factory"])
def test_what_the_image_does_not_show_is_refused_if_asked_for(tmp_path, fmt):
    unanswered = one_expression("a tree", 27, [])
    unanswered["grounding_status"] = "not_mentioned"
    rows = [row(), row(expressions=[unanswered])]
    export(rows, tmp_path / "plain", fmt)
    assert not any("bus" in str(line) for line in lines_of(tmp_path / "plain"))
    export(rows, tmp_path / "refusals", fmt, ExportSpec(refusals=True))
    lines = lines_of(tmp_path / "refusals")
    assert len(lines) == 2
    question, answer = filled(lines[1]) if fmt == "ms_swift" else turns(lines[1])
    assert "a bus" in question
    assert re.fullmatch('The image does not show "?a bus"?\\.', answer)


@pytest.mark.parametrize("fmt", ["ms_swift", "qwen_vl", "llama_factory"])
@pytest.mark.parametrize("word", ["<image>", "<|im_end|>", "<bbox>", "<video>"])
def test_a_caption_with_a_trainers_markup_is_left_out(tmp_path, fmt, word):
    caption = f"A red car {word}"
    rows = [row(), row(cleaned_caption=caption, expressions=[one_expression(caption, 0, [CAR])])]
    report = export(rows, tmp_path, fmt)
    assert report.left_out["samples whose caption holds a trainer's own markup, such as <image>"] == 1
    assert len(lines_of(tmp_path)) == 1


def test_a_description_of_what_the_image_does_not_show_is_left_out(tmp_path):
    report = export([row()], tmp_path, "ms_swift", ExportSpec(task="detailed"))
    assert report.left_out["samples that give nothing to ask for in the task detailed"] == 1


def test_llama_factory_finds_its_data_sets(tmp_path):
    export([row()], tmp_path, "llama_factory", ExportSpec(fractions={"train": 0.5, "val": 0.5}))
    described = json.loads((tmp_path / "dataset_info.json").read_text())
    assert {name: one["file_name"] for name, one in described.items()} == {
        "grounding_train": "train.jsonl",
        "grounding_val": "val.jsonl",
    }
    assert all((tmp_path / one["file_name"]).is_file() for one in described.values())


@pytest.mark.parametrize("name", ["claude-sonnet-4-5", "molmo", "gpt-5.4", "unheard-of/model", "internvl"])
def test_a_model_whose_json_is_not_known_is_refused(name):
    with pytest.raises(SpecError, match=f"target_model={name}.*qwen3_vl"):
        chat_model(name)


def test_the_card_says_whose_numbers_and_which_document(tmp_path):
    name = "Qwen/Qwen2.5-VL-7B-Instruct"
    chosen = ExportSpec(target_model=name, max_pixels=50176)
    export([row()], tmp_path, "qwen_vl", chosen, chat_model=chat_model(name))
    card = (tmp_path / "README.md").read_text()
    assert (
        "as the family qwen2_5_vl sees it in training, resized by the trainer with max_pixels 50176" in card
    )
    assert "qwen-vl-finetune at 9658872" in card

"""What all formats share: filters, the demonstration teacher, errors, and a folder that is whole or untouched."""

import json
import tracemalloc
from pathlib import Path

import pytest
from pydantic import ValidationError

from grounding_assets.core.errors import InputError, SpecError
from grounding_assets.core.exports import export
from grounding_assets.core.exports.parquet import ROWS_A_GROUP
from grounding_assets.core.spec.export_settings import ExportSpec
from tests.exports.folders import FORMATS, folder_content
from tests.exports.record_strategies import MADE_BY, one_expression, one_record


def exported_expressions(out: Path) -> dict[str, list]:
    with (out / "train.jsonl").open() as lines:
        regions = [r for line in lines for r in json.loads(line)["grounding"]["regions"]]
    boxes: dict[str, list] = {}
    for region in regions:
        boxes.setdefault(region["phrase"], []).append(region["bbox"])
    return boxes


def filtered_record():
    caption = "A dog, a cat, two birds and a hat on a lawn."
    return one_record(
        width=100,
        height=100,
        cleaned_caption=caption,
        expressions=[
            one_expression("A dog", 0, [[0, 0, 10, 10]], scores=[0.3]),
            one_expression("a cat", 7, [[0, 0, 50, 50], [5, 5, 9, 9]], scores=[0.9, 0.49]),
            one_expression("two birds", 14, [[0, 0, 100, 51], [0, 0, 100, 50]], scores=[0.5, 0.9]),
            one_expression("a hat", 28, []),
            one_expression("a lawn", 37, [[0, 0, 100, 100]], scores=[1.0]),
        ],
    )


def test_filters_drop_boxes_and_expressions_that_lose_all_of_them(tmp_path):
    filters = ExportSpec(min_score=0.5, max_box_share=0.5)
    report = export([filtered_record()], tmp_path, "odvg", filters)
    assert exported_expressions(tmp_path) == {"a cat": [[0, 0, 50, 50]], "two birds": [[0, 0, 100, 50]]}
    assert report.left_out["boxes below min_score"] == 2
    assert report.left_out["scene-sized boxes"] == 2
    assert report.left_out["expressions whose boxes were all filtered"] == 2


def test_a_filtered_expression_is_not_turned_into_one_that_shows_nothing(tmp_path):
    import pyarrow.parquet

    export([filtered_record()], tmp_path, "parquet", ExportSpec(min_score=0.5, max_box_share=0.5))
    [row] = pyarrow.parquet.read_table(tmp_path / "train.parquet").to_pylist()
    assert {e["text"]: len(e["instances"]) for e in row["expressions"]} == {
        "a cat": 1,
        "two birds": 1,
        "a hat": 0,
    }


def test_drop_unboxed_drops_expressions_and_samples(tmp_path):
    rows = [
        filtered_record(),
        one_record(expressions=[]),
        one_record(expressions=[one_expression("A", 0, [])]),
    ]
    plain = export(rows, tmp_path / "a", "mdetr")
    dropped = export(rows, tmp_path / "b", "mdetr", ExportSpec(drop_unboxed=True))
    assert (plain.splits["train"].samples, dropped.splits["train"].samples) == (3, 1)
    assert dropped.left_out["expressions without a box"] == 2
    assert dropped.left_out["samples without an expression left"] == 2


@pytest.mark.parametrize("wrong", [{"min_score": 1.1}, {"max_box_share": -0.1}, {"min_score": float("nan")}])
def test_wrong_filters_are_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        ExportSpec(**wrong)


@pytest.mark.parametrize("fmt", FORMATS)
def test_the_demonstration_teacher_needs_leave_and_the_card_says_so(tmp_path, fmt):
    demo = one_record(provenance={"step_0": dict(MADE_BY), "step_1": {"backend": "local", "model": "demo/1"}})
    rows = [one_record(), demo]
    with pytest.raises(SpecError, match="allow_demo_teacher=true"):
        export(rows, tmp_path, fmt)
    assert folder_content(tmp_path) == {}
    report = export(rows, tmp_path, fmt, ExportSpec(allow_demo_teacher=True))
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert report.demo_samples == 1
    assert "**Demonstration data.** 1 of the samples" in card
    export([one_record()], tmp_path, fmt, ExportSpec(allow_demo_teacher=True))
    assert "Demonstration" not in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_the_card_tells_counts_models_prompts_settings_and_filters(tmp_path):
    export([one_record()] * 2, tmp_path, "odvg", ExportSpec(min_score=0.25))
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    for line in (
        "| `train` | 1 | 2 | 4 | 6 |",
        '| `step_1` | `gemini` | `gemini-3.1-flash-lite-preview` | `gemini/1` | `{"temperature": 0.3}` | 2 |',
        "| `min_score` | `0.25` |",
        "Not stated. Fill in the licences",
    ):
        assert line in card
    manifest = json.loads((tmp_path / "export.json").read_bytes())
    assert manifest["splits"] == {"train": {"images": 1, "samples": 2, "expressions": 4, "boxes": 6}}
    assert manifest["files"] == ["README.md", "export.json", "train.jsonl"]


def test_the_card_counts_what_was_written_only(tmp_path):
    report = export([one_record(), one_record(expressions=[])], tmp_path, "odvg")
    assert report.splits["train"].samples == 1
    assert [*report.origins.counts.values()] == [1, 1]


def test_untrusted_provenance_cannot_break_the_card(tmp_path):
    nasty = {"backend": "openai", "model": "x`|\n# Heading <script>``", "settings": {"a": "|`"}}
    export([one_record(provenance={"step_1": nasty})], tmp_path, "odvg")
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "\n# Heading" not in card
    assert "| ``` x`\\| # Heading <script>`` ``` |" in card


@pytest.mark.parametrize("fmt", FORMATS)
def test_an_error_leaves_the_earlier_export_as_it_was(tmp_path, fmt):
    export([one_record()], tmp_path, fmt)
    before = folder_content(tmp_path)
    broken = one_record()
    broken["expressions"][1]["char_span"] = [0, 5]
    with pytest.raises(InputError, match=r"line 3 .* char_span of expression 1"):
        export([one_record(), one_record(), broken], tmp_path, fmt)
    assert folder_content(tmp_path) == before


def test_an_export_replaces_all_of_an_earlier_one_and_nothing_else(tmp_path):
    export([one_record()], tmp_path, "flickr30k_entities")
    (tmp_path / ".keep").write_text("mine")
    (tmp_path / ".export-scripts").mkdir()
    (tmp_path / ".export-scripts" / "mine.py").write_text("mine")
    report = export([one_record()], tmp_path, "coco")
    names = [".export-scripts", ".keep", "README.md", "export.json", "train.json"]
    assert sorted(p.name for p in tmp_path.iterdir()) == names
    assert report.files == ("README.md", "export.json", "train.json")


@pytest.mark.parametrize("name", ["notes.txt", "README.md", "train.jsonl"])
def test_a_folder_with_other_files_is_refused(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(SpecError, match=f"holds {name}, which no export wrote"):
        export([one_record()], tmp_path, "odvg")
    assert (tmp_path / name).read_text() == "mine"


@pytest.mark.parametrize("content", ["[]", "{}", '{"files": "x"}', "not json"])
def test_a_foreign_manifest_is_refused(tmp_path, content):
    (tmp_path / "export.json").write_text(content)
    with pytest.raises((SpecError, InputError), match=r"export\.json"):
        export([one_record()], tmp_path, "odvg")


def test_a_manifest_cannot_name_files_elsewhere(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "precious.txt").write_text("mine")
    files = ["export.json", "../precious.txt", "..", ".", ""]
    (out / "export.json").write_text(json.dumps({"files": files}))
    export([one_record()], out, "odvg")
    assert (tmp_path / "precious.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 100}, "a bbox of expression 0 is empty or not inside the image"),
        ({"width": "640"}, "width is not a positive number"),
        ({"cleaned_caption": None}, "cleaned_caption is not a string"),
        ({"image_path": "\ud800.jpg"}, "surrogates not allowed"),
        ({"expressions": None}, "not iterable"),
        ({"expressions": [one_expression("", 0, [])]}, "char_span of expression 0"),
        ({"expressions": [one_expression(" ", 1, [])]}, "expression 0 is blank"),
        (
            {"expressions": [one_expression("A red car", 0, [[1, 1, 2, 2]], scores=[2])]},
            "not between 0 and 1",
        ),
        ({"pipeline_steps": ["step0_expression_extraction"]}, "no boxes yet: run step 1"),
    ],
)
def test_a_line_that_is_no_record_is_named(tmp_path, change, message):
    with pytest.raises(InputError, match=f"(?i)line 2.*{message}"):
        export([one_record(), one_record(**change)], tmp_path, "odvg")


def test_a_missing_field_no_records_and_an_unknown_format_are_named(tmp_path):
    record = one_record()
    del record["image_id"]
    with pytest.raises(InputError, match=r"line 1 .* no field 'image_id'"):
        export([record], tmp_path, "odvg")
    with pytest.raises(InputError, match="no annotations"):
        export([], tmp_path, "odvg")
    with pytest.raises(SpecError, match="'yolo' is unknown: choose one of odvg, odvg_detection, mdetr"):
        export([one_record()], tmp_path, "yolo")  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="Cannot make the folder"):
        (tmp_path / "file").write_text("")
        export([one_record()], tmp_path / "file" / "out", "odvg")


@pytest.mark.parametrize("fmt", FORMATS)
def test_records_are_not_held_in_memory(tmp_path, fmt):
    # few and large, since what allocates is slow to trace; parquet holds a group of rows
    count = 4 * ROWS_A_GROUP if fmt == "parquet" else 300

    def rows():
        return (one_record(image_path=f"{n}.jpg", image_id=str(n), note=f"{n}" * 2_000) for n in range(count))

    def peak(work):
        tracemalloc.start()
        work()
        _, top = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return top

    assert peak(lambda: export(rows(), tmp_path, fmt)) < 0.6 * peak(lambda: list(rows()))

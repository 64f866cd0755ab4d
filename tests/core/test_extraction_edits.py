"""Step 0's output as input: hand edits and files of other tools become results, and nothing else changes."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grounding_assets.core.dataset.extraction_edits import was_edited
from grounding_assets.core.dataset.rollup import write_step_annotations
from grounding_assets.core.errors import InputError
from grounding_assets.core.records import Extraction
from grounding_assets.core.spans.alignment import Phrase, to_expressions
from grounding_assets.core.steps import Step
from tests.core.workspaces import (
    RuleTeacher,
    adopt,
    annotate,
    extracted,
    json_lines,
    open_workspace,
    picture_rows,
    roll_up,
    write_input,
    write_picture,
)
from tests.formats import check_results


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four samples, both steps done and rolled up."""
    write_input(tmp_path / "input.jsonl", picture_rows(tmp_path, 4))
    workspace = open_workspace(tmp_path)
    annotate(workspace)
    roll_up(workspace)
    return tmp_path


def edit(folder: Path, change: Callable[[list[dict[str, Any]]], Any]) -> None:
    rows = json_lines(extracted(folder))
    change(rows)
    write_input(extracted(folder), rows)


def test_a_file_as_it_was_written_changes_nothing(folder: Path) -> None:
    assert not was_edited(extracted(folder))
    workspace, found = adopt(folder)
    assert (found.adopted, found.unknown, found.dropped) == (0, 0, [])
    assert found.sample_ids == set(workspace.samples.ids)
    assert list(workspace.pending(workspace.samples.ids, (Step.EXTRACTION, Step.GROUNDING))) == []


@pytest.mark.parametrize(
    ("change", "edited"),
    [
        (lambda path: None, False),
        (lambda path: path.write_bytes(path.read_bytes() + b"\n"), True),
        (lambda path: path.unlink(), False),
    ],
    ids=["untouched", "touched", "deleted"],
)
def test_an_edit_is_noticed(folder: Path, change: Callable[[Path], Any], edited: bool) -> None:
    change(extracted(folder))
    assert was_edited(extracted(folder)) is edited


EDITS: dict[str, tuple[Callable[[dict[str, Any]], Any], str, list[str]]] = {
    "an expression removed": (
        lambda row: row["expressions"].pop(1),
        "a cat 2 near two dogs and a tree",
        ["cat", "two", "dogs", "and", "tree"],
    ),
    "one added with its text alone": (
        lambda row: row["expressions"].append({"text": "two dogs"}),
        "a cat 2 near two dogs and a tree",
        ["cat", "near", "two", "two dogs", "dogs", "and", "tree"],
    ),
    "a text extended, its span left as it was": (
        lambda row: row["expressions"][0].update(text="a cat"),
        "a cat 2 near two dogs and a tree",
        ["a cat", "near", "two", "dogs", "and", "tree"],
    ),
    "the cleaned caption": (
        lambda row: row.update(
            cleaned_caption="Two dogs.", expressions=[{"text": "two dogs", "noun_chunk": "dogs"}]
        ),
        "Two dogs.",
        ["Two dogs"],
    ),
    "all removed": (lambda row: row.update(expressions=[]), "a cat 2 near two dogs and a tree", []),
}


@pytest.mark.parametrize(("change", "caption", "texts"), EDITS.values(), ids=EDITS)
def test_only_what_was_edited_is_grounded_again(
    folder: Path, change: Callable[[dict[str, Any]], Any], caption: str, texts: list[str]
) -> None:
    edit(folder, lambda rows: change(rows[2]))
    workspace, found = adopt(folder)
    assert (found.adopted, found.dropped) == (1, [])
    teacher = RuleTeacher()
    annotate(workspace, teacher)
    assert teacher.calls == [("1", caption)]
    roll_up(workspace)
    check_results(folder / "results", folder / "input.jsonl", image_root=folder)
    line = json_lines(folder / "results" / "annotations.jsonl")[2]
    assert line["cleaned_caption"] == caption
    assert [expression["text"] for expression in line["expressions"]] == texts
    assert line["provenance"]["step_0"]["edited"] is True and line["provenance"]["step_0"]["model"] == "rule"
    assert adopt(folder)[1].adopted == 0, "an edit is taken over once"


def test_what_does_not_stand_in_the_caption_is_dropped_and_named(folder: Path) -> None:
    edit(folder, lambda rows: rows[1]["expressions"].append({"text": "three purple elephants"}))
    found = adopt(folder)[1]
    assert found.dropped == [f"{extracted(folder)}, line 2: 'three purple elephants'"]


def test_lines_of_no_sample_are_counted(folder: Path) -> None:
    edit(folder, lambda rows: [rows[0].update(caption="another"), rows.pop(3)])
    workspace, found = adopt(folder)
    assert (found.unknown, found.adopted) == (1, 0)
    assert found.sample_ids == set(workspace.samples.ids[1:3])


BAD: dict[str, tuple[bytes, str]] = {
    "not JSON": (b"{", "not JSON"),
    "no caption": (b'{"image_path": "a"}', "caption is missing"),
    "no cleaned caption": (b'{"image_path": "%b", "caption": "%b"}', "cleaned_caption must be a string"),
    "expressions an object": (
        b'{"image_path": "%b", "caption": "%b", "cleaned_caption": "x", "expressions": {}}',
        "expressions a list",
    ),
    "an expression of text": (
        b'{"image_path": "%b", "caption": "%b", "cleaned_caption": "x", "expressions": ["x"]}',
        "every expression must be an object with a text",
    ),
    "an expression without text": (
        b'{"image_path": "%b", "caption": "%b", "cleaned_caption": "x", "expressions": [{"text": 5}]}',
        "every expression must be an object with a text",
    ),
}


@pytest.mark.parametrize(("line", "words"), BAD.values(), ids=BAD)
def test_a_line_that_cannot_be_read_is_named(folder: Path, line: bytes, words: str) -> None:
    names = (b"0001.png", b"a cat 1 near two dogs and a tree")
    rows = extracted(folder).read_bytes().splitlines()
    write_input(extracted(folder), [rows[0], line % names if b"%b" in line else line, *rows[2:]])
    with pytest.raises(InputError, match=r"annotations\.jsonl, line 2: ") as caught:
        adopt(folder)
    assert words in str(caught.value)


def test_an_edit_made_during_a_run_outlives_its_rollup_and_is_taken_over_by_the_next(folder: Path) -> None:
    write_input(folder / "input.jsonl", picture_rows(folder, 5))
    running = open_workspace(folder)
    annotate(running)
    edit(folder, lambda rows: rows[2]["expressions"].pop(1))
    before = json_lines(folder / "results" / "annotations.jsonl")
    told: list[str] = []
    for _ in range(2):
        write_step_annotations(running, Step.EXTRACTION, told.append)
    assert (
        told
        == [
            f"1 lines of {extracted(folder)} were edited during the run: they stay as they are, and the next run takes "
            "them over."
        ]
        * 2
    )
    rows = json_lines(extracted(folder))
    assert len(rows) == 5, "what the run has made is there"
    assert [e["text"] for e in rows[2]["expressions"]] == ["cat", "two", "dogs", "and", "tree"]
    roll_up(running)
    assert json_lines(folder / "results" / "annotations.jsonl")[:4] == before, "its boxes are of the old text"

    workspace, found = adopt(folder)
    assert found.adopted == 1
    teacher = RuleTeacher()
    annotate(workspace, teacher)
    roll_up(workspace)
    assert teacher.calls == [("1", "a cat 2 near two dogs and a tree")]
    assert not was_edited(extracted(folder))
    check_results(folder / "results", folder / "input.jsonl", image_root=folder)


def test_a_file_that_is_left_unreadable_during_a_run_is_kept_aside_whole(folder: Path) -> None:
    running = open_workspace(folder)
    whole = extracted(folder).read_bytes()
    copies = [extracted(folder).with_name(f"annotations.edited-{n}.jsonl") for n in (1, 2)]
    for copy in copies:
        extracted(folder).write_bytes(whole[:-30])
        told: list[str] = []
        write_step_annotations(running, Step.EXTRACTION, told.append)
        assert copy.read_bytes() == whole[:-30]
        (words,) = told
        assert "line 4: " in words and words.endswith(f"it is kept as {copy}.")
        assert extracted(folder).read_bytes() == whole


words = st.sampled_from(
    ["a cat", "cat", "Cats", "the  red cat", "dog", "İstanbul", "ﬁsh", "x", "a cat, a cat", "🐈‍⬛"]
)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(words | st.text(max_size=8), max_size=6),
    st.lists(st.tuples(words | st.text(max_size=8), st.none() | st.integers(0, 30)), max_size=6),
)
def test_no_rollup_looks_like_an_edit(tmp_path_factory: Any, parts: list[str], quoted: list[Any]) -> None:
    """Whatever expressions a teacher finds: what a rollup writes of them reads back as the same."""
    cleaned = " ".join(parts).encode("utf-8", "replace").decode() or "a cat"
    found = to_expressions(cleaned, [Phrase(text, None, start) for text, start in quoted]).expressions
    folder = tmp_path_factory.mktemp("fixpoint")
    write_picture(folder / "a.png")
    write_input(folder / "input.jsonl", [{"image_path": "a.png", "caption": "some caption"}])

    class Finder(RuleTeacher):
        async def extract(self, image: Any, caption: str) -> Extraction:
            result = await super().extract(image, caption)
            return replace(result, cleaned_caption=cleaned, expressions=found)

    workspace = open_workspace(folder)
    annotate(workspace, Finder(), steps=(Step.EXTRACTION,))
    write_step_annotations(workspace, Step.EXTRACTION)
    assert json.loads(extracted(folder).read_bytes())["cleaned_caption"] == cleaned
    assert adopt(folder)[1].adopted == 0

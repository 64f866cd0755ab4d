"""The validator of results folders: content with a good one, and with none of these bad ones."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grounding_assets.core.errors import Reason, SampleFailure
from tests.core.workspaces import (
    RuleTeacher,
    annotate,
    json_lines,
    open_workspace,
    picture_rows,
    roll_up,
    write_input,
)
from tests.formats import Accounts, FormatViolation, check_results

STEP_0, STEP_1 = "step_0_expression_extraction", "step_1_grounding"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six samples on eight input lines: five done, one of them twice, one failed in step 1, one line bad."""
    folder = tmp_path_factory.mktemp("good")
    rows = picture_rows(folder, 6, note={"weight": 0.25}, image_id=None)
    rows[2]["image_id"] = 0
    refused = rows[4]["caption"]

    def trouble(step: str, caption: str) -> Exception | None:
        refuses = step == "1" and caption == refused
        return SampleFailure(Reason.REFUSED, "Refused.", attempts=2) if refuses else None

    write_input(
        folder / "input.jsonl", [*rows[:3], b'{"caption": 1}', *rows[3:], {**rows[0], "note": "again"}]
    )
    workspace = open_workspace(folder)
    annotate(workspace, RuleTeacher(trouble))
    roll_up(workspace)
    return folder


@pytest.fixture
def folder(good: Path, tmp_path: Path) -> Path:
    return shutil.copytree(good, tmp_path / "copy")


def test_a_good_folder_is_accounted_for(good: Path) -> None:
    accounts = check_results(good / "results", good / "input.jsonl", image_root=good)
    assert accounts == Accounts(accepted=7, rejected=1, lines=6, samples=6, annotated=5, failed=1, pending=0)


def test_step_0_alone_can_be_checked(folder: Path) -> None:
    shutil.copy(folder / "results" / STEP_0 / "annotations.jsonl", folder / "results" / "annotations.jsonl")
    (folder / "results" / "failures.jsonl").write_text("")
    accounts = check_results(folder / "results", folder / "input.jsonl", steps=["0"])
    assert (accounts.annotated, accounts.failed) == (6, 0)


def test_pending_samples_are_allowed_only_in_a_stopped_run(folder: Path) -> None:
    (folder / "results" / "failures.jsonl").write_text("")
    assert check_results(folder / "results", folder / "input.jsonl", stopped=True).pending == 1
    with pytest.raises(FormatViolation, match="no result and no failure"):
        check_results(folder / "results", folder / "input.jsonl")


Edit = Callable[[dict[str, Any]], Any]
EXPRESSION: dict[str, tuple[Edit, str]] = {
    "span moved": (lambda e: e.update(char_span=[3, 6]), "text is not at"),
    "span empty": (lambda e: e.update(char_span=[2, 2], text=""), "char_span"),
    "span negative": (lambda e: e.update(char_span=[-1, 1]), "char_span"),
    "span of floats": (lambda e: e.update(char_span=[2.0, 5.0]), "char_span"),
    "text changed": (lambda e: e.update(text="dog"), "text is not at"),
    "id of another": (lambda e: e.update(expression_id="x/e0"), "instead of"),
    "no noun chunk": (lambda e: e.update(noun_chunk=""), "e0"),
    "span status": (lambda e: e.update(span_status="guessed"), "span_status"),
    "boxed without box": (lambda e: e.update(grounding_status="boxed"), "boxed"),
}
INSTANCE: dict[str, tuple[Edit, str]] = {
    "box inverted": (lambda b: b.update(bbox=[10, 0, 5, 9]), "bbox"),
    "box outside": (lambda b: b.update(bbox=[0, 0, 65, 48]), "bbox"),
    "box empty": (lambda b: b.update(bbox=[0, 5, 9, 5]), "bbox"),
    "box of floats": (lambda b: b.update(bbox=[0, 0, 9.5, 9]), "bbox"),
    "box of three": (lambda b: b.update(bbox=[0, 0, 9]), "bbox"),
    "score above 1": (lambda b: b.update(score=1.01), "score"),
    "score a boolean": (lambda b: b.update(score=True), "score"),
    "score source": (lambda b: b.update(score_source="guess"), "score_source"),
    "default score": (lambda b: b.update(score=0.8, score_source="default"), "default score"),
    "id of another": (lambda b: b.update(bbox_id="0001/e1/b1"), "instead of"),
}
RECORD: dict[str, tuple[Edit, str]] = {
    "field missing": (lambda r: r.pop("source"), "fields"),
    "field too many": (lambda r: r.update(debug=1), "fields"),
    "own field changed": (lambda r: r.update(note={"weight": 0.3}), "passed through"),
    "image id as text": (lambda r: r.update(image_id="42"), "image_id"),
    "sample id of another": (lambda r: r.update(sample_id="0001"), "sample_id"),
    "source": (lambda r: r.update(source="tao"), "source"),
    "steps": (lambda r: r.update(pipeline_steps=["step1_grounding"]), "pipeline_steps"),
    "width of zero": (lambda r: r.update(width=0), "width"),
    "width a float": (lambda r: r.update(width=64.0), "width"),
    "provenance of a step": (lambda r: r["provenance"].pop("step_0"), "provenance"),
    "provenance without a key": (lambda r: r["provenance"]["step_1"].pop("convention"), "convention"),
    "expressions out of order": (lambda r: r["expressions"].reverse(), "reading order"),
    "not a number": (lambda r: r["provenance"].update(step_0={"x": float("nan")}), "NaN"),
    "caption of nobody": (lambda r: r.update(caption="a fish"), "passed through"),
    "size of another image": (lambda r: r.update(width=65), "differ|the image is"),
    "cleaned caption": (lambda r: r.update(cleaned_caption=r["cleaned_caption"] + "."), "differ"),
}
IN_FIRST_LINE = [
    *(
        (name, lambda r, edit=edit: edit(r["expressions"][0]), words)
        for name, (edit, words) in EXPRESSION.items()
    ),
    *(
        (name, lambda r, edit=edit: edit(r["expressions"][1]["instances"][0]), words)
        for name, (edit, words) in INSTANCE.items()
    ),
    *((name, edit, words) for name, (edit, words) in RECORD.items()),
]


@pytest.mark.parametrize(("edit", "words"), [c[1:] for c in IN_FIRST_LINE], ids=[c[0] for c in IN_FIRST_LINE])
def test_a_bad_record_is_found(folder: Path, edit: Edit, words: str) -> None:
    _edit_lines(folder, STEP_1, lambda rows: edit(rows[0]))
    with pytest.raises(FormatViolation, match=words):
        check_results(folder / "results", folder / "input.jsonl", image_root=folder)


def _edit_lines(folder: Path, step_folder: str, edit: Callable[[list[dict[str, Any]]], Any]) -> None:
    """Edits a step's lines, and publishes them where it is the last step."""
    path = folder / "results" / step_folder / "annotations.jsonl"
    rows = json_lines(path)
    edit(rows)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    if step_folder == STEP_1:
        shutil.copy(path, folder / "results" / "annotations.jsonl")


def _append(path: Path, row: dict[str, Any]) -> None:
    with path.open("a") as stream:
        stream.write(json.dumps(row) + "\n")


FOLDERS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "line missing": (lambda f: _edit_lines(f, STEP_1, lambda rows: rows.pop()), "lines instead of"),
    "sample missing": (
        lambda f: _edit_lines(f, STEP_1, lambda rows: rows.pop(1)),
        "no result and no failure",
    ),
    "line twice": (lambda f: _edit_lines(f, STEP_1, lambda rows: rows.append(rows[-1])), "lines instead of"),
    "lines swapped": (lambda f: _edit_lines(f, STEP_1, lambda rows: rows.reverse()), "line 1"),
    "instances in step 0": (
        lambda f: _edit_lines(f, STEP_0, lambda rows: rows[0]["expressions"][0].update(instances=[1])),
        "instances",
    ),
    "step 0 of other words": (
        lambda f: _edit_lines(f, STEP_0, lambda rows: rows[0]["expressions"].pop()),
        "differ|changed",
    ),
    "partial file": (lambda f: (f / "results" / STEP_1 / ".x.partial").write_text(""), "partial"),
    "published another": (lambda f: (f / "results" / "annotations.jsonl").write_text(""), "no copy"),
    "published missing": (lambda f: (f / "results" / STEP_0 / "annotations.jsonl").unlink(), "missing"),
    "last newline missing": (
        lambda f: [
            path.write_bytes(path.read_bytes()[:-1])
            for path in (f / "results" / "failures.jsonl", f / "results" / "failures.jsonl")
        ],
        "newline",
    ),
    "rejection missing": (lambda f: (f / "results" / "rejected.jsonl").write_text(""), "input line 4"),
    "rejection too many": (
        lambda f: _append(f / "results" / "rejected.jsonl", {"line": 5, "reason": "x", "text": "{"}),
        "input line 5",
    ),
    "rejection of nothing": (
        lambda f: _append(f / "results" / "rejected.jsonl", {"line": 99, "reason": "x", "text": ""}),
        "not in the input",
    ),
    "failure twice": (
        lambda f: _append(f / "results" / "failures.jsonl", json_lines(f / "results" / "failures.jsonl")[0]),
        "twice",
    ),
    "failure of an unknown sample": (
        lambda f: _append(f / "results" / "failures.jsonl", {"sample_id": "x"}),
        "unknown sample",
    ),
    "failure for no reason": (lambda f: _edit_failure(f, reason="bad_luck"), "bad_luck"),
    "failure without message": (lambda f: _edit_failure(f, message=""), "message"),
    "failure of what is done": (lambda f: _edit_failure(f, sample_id="0000"), "has a result"),
    "failure of half an attempt": (lambda f: _edit_failure(f, attempts=0.5), "attempts"),
    "checkpoint missing": (lambda f: (f / "results" / STEP_1 / ".ckpt" / "0000.json").unlink(), "missing"),
    "failure left": (lambda f: (f / "results" / STEP_1 / ".failed" / "0000.json").write_text("{}"), "still"),
    "unsafe id": (lambda f: _edit_ids(f, "0000", "../0000"), "unsafe id"),
    "ids that a file system folds": (lambda f: _append_id(f), "two samples"),
}


@pytest.mark.parametrize(("damage", "words"), FOLDERS.values(), ids=FOLDERS)
def test_a_bad_folder_is_found(folder: Path, damage: Callable[[Path], Any], words: str) -> None:
    damage(folder)
    with pytest.raises(FormatViolation, match=words):
        check_results(folder / "results", folder / "input.jsonl", image_root=folder)


def _edit_failure(folder: Path, **fields: Any) -> None:
    path = folder / "results" / "failures.jsonl"
    path.write_text(json.dumps({**json_lines(path)[0], **fields}) + "\n")


def _edit_ids(folder: Path, before: str, after: str) -> None:
    path = folder / "results" / "samples.jsonl"
    path.write_text(path.read_text().replace(f'"{before}"', json.dumps(after)))


def _append_id(folder: Path) -> None:
    path = folder / "results" / "samples.jsonl"
    _append(path, {"sample_id": "A", "pair": "1"})
    _append(path, {"sample_id": "a", "pair": "2"})

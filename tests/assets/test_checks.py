"""The checks on `annotations.jsonl`: each one fails for the defect that it is named after, and for no other."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from grounding_assets.checks import annotation_check_specs, check_annotations
from grounding_assets.core.dataset.audit import audit_annotations, balance_lines
from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.spec.settings import Spec
from grounding_assets.partitions import DataSetKeys
from tests.core.workspaces import RuleTeacher, annotate, open_workspace, picture_rows, roll_up, write_input

KEYS = DataSetKeys("tested")
COUNT = 40
Line = dict[str, Any]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """40 samples of which one fails, one line twice, one line that is refused."""
    rows = picture_rows(tmp_path, COUNT)
    write_input(tmp_path / "input.jsonl", [*rows, rows[3], b"not JSON"])
    workspace = open_workspace(tmp_path)
    refused = SampleFailure(Reason.REFUSED, "No.")
    annotate(workspace, RuleTeacher(lambda step, caption: refused if caption == rows[5]["caption"] else None))
    roll_up(workspace)
    return workspace


def checked(workspace: Workspace, **limits: float) -> dict[str, dg.AssetCheckResult]:
    # two of the boxes that the rule gives an expression nearly coincide, and a third of them has none
    limits = {"max_duplicate_share": 0.5, **limits}
    spec = Spec.model_validate({"results_dir": "unused", "image_grounding": {"checks": limits}})
    audit = audit_annotations(workspace.results_dir / "annotations.jsonl")
    lines = balance_lines(workspace, spec.workflow.run_steps, audit.lines)
    return {str(result.check_name): result for result in check_annotations(KEYS, audit, lines, spec)}


def failed(workspace: Workspace, **limits: float) -> set[str]:
    return {name for name, result in checked(workspace, **limits).items() if not result.passed}


def edit(workspace: Workspace, change: Callable[[list[Line]], None]) -> None:
    file = workspace.results_dir / "annotations.jsonl"
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    change(lines)
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def boxes_of(line: Line) -> list[Line]:
    return [instance for expression in line["expressions"] for instance in expression["instances"]]


def shift_a_span(lines: list[Line]) -> None:
    lines[0]["expressions"][0]["char_span"] = [1, 4]


def box_beyond_the_edge(lines: list[Line]) -> None:
    boxes_of(lines[0])[0]["bbox"][2] = 65


def box_of_fractions(lines: list[Line]) -> None:
    boxes_of(lines[0])[0]["bbox"] = [0.1, 0.1, 0.5, 0.5]


def drop_a_line(lines: list[Line]) -> None:
    del lines[7]


def damage_a_line(lines: list[Line]) -> None:
    del lines[7]["expressions"][0]["text"]


def repeat_a_line(lines: list[Line]) -> None:
    lines.append(lines[0])


def count_boxes_beyond_the_frame(lines: list[Line]) -> None:
    for line in lines:
        line["provenance"]["step_1"]["boxes"] = {"total": 10, "out_of_range": 1}


def count_dropped_duplicates(lines: list[Line]) -> None:
    for line in lines:
        line["provenance"]["step_1"]["boxes"] = {"total": 20, "duplicate": 20}


def take_all_boxes(lines: list[Line]) -> None:
    for line in lines:
        for expression in line["expressions"]:
            expression["instances"] = []


def test_a_file_as_it_was_written_passes(workspace: Workspace) -> None:
    results = checked(workspace)
    assert failed(workspace) == set()
    assert results.keys() == {spec.name for spec in annotation_check_specs(KEYS)}
    lines = {name: value.value for name, value in results["every_line_accounted_for"].metadata.items()}
    assert lines == {
        "found": 0, "of": 42, "limit": 0, "read": 42, "annotated": 40, "failed": 1, "rejected": 1,
        "pending": 0, "left_out": 0, "malformed": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "name", "severity"),
    [
        (drop_a_line, "every_line_accounted_for", "ERROR"),
        (damage_a_line, "every_line_accounted_for", "ERROR"),
        (repeat_a_line, "every_line_accounted_for", "ERROR"),
        (shift_a_span, "spans_match", "ERROR"),
        (box_beyond_the_edge, "boxes_inside_image", "ERROR"),
        (box_of_fractions, "boxes_inside_image", "ERROR"),
        (count_boxes_beyond_the_frame, "boxes_out_of_range", "ERROR"),
        (count_dropped_duplicates, "duplicate_boxes", "WARN"),
        (take_all_boxes, "expressions_without_box", "WARN"),
    ],
)
def test_a_defect_fails_its_check_alone(
    workspace: Workspace, change: Callable[[list[Line]], None], name: str, severity: str
) -> None:
    edit(workspace, change)
    assert failed(workspace) == {name}
    assert checked(workspace)[name].severity == dg.AssetCheckSeverity[severity]


def test_limits_decide(workspace: Workspace) -> None:
    assert failed(workspace, max_failed_share=0.02) == {"failed_samples"}
    warned = checked(workspace, max_failed_share=0.02)["failed_samples"]
    assert warned.description == "1 of 41 tried lines have no result (2.4%, limit 2.0%)."
    assert failed(workspace, max_duplicate_share=0.05) == {"duplicate_boxes"}
    edit(workspace, drop_a_line)
    assert failed(workspace, max_unaccounted_lines=1) == set()


def test_lines_that_no_run_has_reached_are_pending_and_not_missing(tmp_path: Path) -> None:
    write_input(tmp_path / "input.jsonl", picture_rows(tmp_path, 3))
    workspace = open_workspace(tmp_path)
    roll_up(workspace)
    results = checked(workspace)
    assert results["every_line_accounted_for"].passed
    assert results["every_line_accounted_for"].metadata["pending"].value == 3
    assert failed(workspace) == set(), "of nothing, no share is too high"

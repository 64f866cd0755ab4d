"""What `annotations.jsonl` holds as it lies on disk, counted independently of how it was written.

Counting only: which counts are too high is for the checks to say. Nothing is raised for a line that
breaks the format; it is counted, since that is what an audit is for.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from operator import add
from pathlib import Path
from typing import Any

from grounding_assets.core.boxes.geometry import DUPLICATE_IOU, iou_xyxy
from grounding_assets.core.dataset.rollup import ratio
from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.files import read_lines
from grounding_assets.core.steps import Step
from grounding_assets.core.store.output_stamps import mark_as_written, written_mark

COMPARED_BOXES = 100
"""Only so many boxes of one expression are compared with each other."""


@dataclass(slots=True)
class Audit:
    """Counts over one file; a line that stands twice counts twice."""

    lines: int = 0
    """Lines that hold a record."""
    malformed_lines: int = 0
    expressions: int = 0
    wrong_spans: int = 0
    """Expressions whose `char_span` does not give their `text`."""
    grounded_expressions: int = 0
    """Expressions of lines that step 1 has been through."""
    without_box: int = 0
    """Grounded expressions without an instance."""
    boxes: int = 0
    boxes_outside: int = 0
    """Boxes that are not whole pixels within the image, or empty."""
    repeated_boxes: int = 0
    """Boxes that overlap an earlier one of the same expression by more than `DUPLICATE_IOU`."""
    model_boxes: int = 0
    """Boxes in the replies, before anything was clamped or dropped."""
    out_of_range: int = 0
    """Of `model_boxes`, those beyond the frame that the model was to answer in."""
    dropped_duplicates: int = 0
    """Of `model_boxes`, those left out because a better one covers the same place."""

    def observe(self, record: Mapping[str, Any]) -> None:
        """Counts one record.

        Raises:
            KeyError, TypeError, ValueError: it is not one; nothing of it has been counted.
        """
        caption, size = record["cleaned_caption"], (record["width"], record["height"])
        grounded = Step.GROUNDING.record_name in record["pipeline_steps"]
        made = record["provenance"].get(Step.GROUNDING.provenance_key, {}).get("boxes", {})
        found = Audit(
            lines=1,
            model_boxes=int(made.get("total", 0)),
            out_of_range=int(made.get("out_of_range", 0)),
            dropped_duplicates=int(made.get("duplicate", 0)),
        )
        for expression in record["expressions"]:
            start, end = expression["char_span"]
            boxes = [instance["bbox"] for instance in expression["instances"]]
            found.expressions += 1
            found.wrong_spans += not 0 <= start < end or caption[start:end] != expression["text"]
            found.grounded_expressions += grounded
            found.without_box += grounded and not boxes
            found.boxes += len(boxes)
            found.boxes_outside += sum(not _is_inside(box, size) for box in boxes)
            found.repeated_boxes += _repeated(boxes)
        for name in Audit.__slots__:
            setattr(self, name, getattr(self, name) + getattr(found, name))

    def __add__(self, other: "Audit") -> "Audit":
        return Audit(*map(add, astuple(self), astuple(other)))

    def figures(self) -> dict[str, float]:
        """What is worth plotting."""
        return {
            "lines": self.lines,
            "expressions": self.expressions,
            "instances": self.boxes,
            "mean_instances_per_expression": ratio(self.boxes, self.grounded_expressions),
            "expressions_without_box": self.without_box,
            "share_without_box": ratio(self.without_box, self.grounded_expressions),
        }


def audit_annotations(file: Path) -> Audit:
    """One pass over the file in constant memory; an absent file has no lines.

    The counts are remembered beside the file, as long as it stays as it was written.
    """
    mark = written_mark(file)
    known = mark["figures"].get("audit", {}) if mark is not None else {}
    if known.keys() == asdict(Audit()).keys():
        return Audit(**known)
    audit = _audit(file)
    if mark is not None:
        mark_as_written(file, mark["source"], {**mark["figures"], "audit": asdict(audit)})
    return audit


def _audit(file: Path) -> Audit:
    audit = Audit()
    if not file.is_file():
        return audit
    with file.open("rb") as stream:
        for line in stream:
            try:
                audit.observe(json.loads(line))
            except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
                audit.malformed_lines += 1
    return audit


def _is_inside(box: Sequence[Any], size: tuple[int, int]) -> bool:
    x1, y1, x2, y2 = box
    whole = all(type(edge) is int for edge in box)
    return whole and 0 <= x1 < x2 <= size[0] and 0 <= y1 < y2 <= size[1]


def _repeated(boxes: Sequence[Sequence[int]]) -> int:
    compared = boxes[:COMPARED_BOXES]
    if len(compared) < 2:
        return 0
    overlaps = iou_xyxy(compared, compared)
    return sum(bool(overlaps[i, :i].max() > DUPLICATE_IOU) for i in range(1, len(compared)))


@dataclass(frozen=True, slots=True)
class LineBalance:
    """What became of each line of the input."""

    read: int
    annotated: int
    failed: int
    """Lines whose sample stands in `failures.jsonl` and has no earlier result."""
    rejected: int
    pending: int
    """Lines whose sample was not tried yet."""
    left_out: int
    """Lines that this run was told not to look at."""

    def __add__(self, other: "LineBalance") -> "LineBalance":
        return LineBalance(*map(add, astuple(self), astuple(other)))

    @property
    def unaccounted(self) -> int:
        """Lines that are missing (or too many) in the output."""
        told = self.annotated + self.failed + self.rejected + self.pending + self.left_out
        return abs(self.read - told)


def balance_lines(workspace: Workspace, steps: Sequence[Step], annotated: int) -> LineBalance:
    """Compares the input as it was read with `annotated` lines, `failures.jsonl` and `rejected.jsonl`."""
    results, samples = workspace.results_dir, workspace.samples
    failed_ids = {
        row.get("sample_id") for row in _rows(results / "failures.jsonl") if not row.get("in_annotations")
    }
    failed = pending = left_out = 0
    for sample_id in samples.line_ids:
        if sample_id not in samples.entries:
            left_out += 1
        elif sample_id in failed_ids:
            failed += 1
        elif workspace.shown_step(sample_id, steps[-1]) is None:
            pending += 1
    return LineBalance(
        read=len(samples.line_ids) + samples.rejected,
        annotated=annotated,
        failed=failed,
        rejected=sum(1 for _ in _rows(results / "rejected.jsonl")),
        pending=pending,
        left_out=left_out,
    )


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    return read_lines(file) if file.is_file() else iter(())

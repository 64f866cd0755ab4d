"""`results_dir/annotations.jsonl`: a copy of the last step's output, put in place whole."""

import contextlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.files import json_object, replacing, stopping_if_unwritable
from grounding_assets.core.steps import Step
from grounding_assets.core.store.output_stamps import is_current, mark_as_written, written_mark

_SAMPLE_ID = re.compile(rb'"sample_id": ("(?:[^"\\]|\\.)*")')


def publish_annotations(
    workspace: Workspace, last_step: Step, notice: Callable[[str], None] = lambda _: None
) -> Path:
    """Copies the last step's output to `results_dir/annotations.jsonl`, where it is not there yet.

    `notice` is told before lines of the file go.
    """
    original = workspace.step(last_step).annotations
    published = workspace.results_dir / "annotations.jsonl"
    mark = written_mark(original)
    source = f"{last_step} {mark['mtime_ns']} {mark['size']}" if mark else ""
    if source and is_current(published, source):
        return published
    lost = _lost_lines(workspace, last_step, published)
    if lost > 0:
        notice(
            f"{published} loses {lost:,} lines: their samples were removed from the input, or have no current result "
            "(their caption, image or expressions were changed), see failures.jsonl."
        )
    with stopping_if_unwritable(published), original.open("rb") as stream, replacing(published) as copy:
        shutil.copyfileobj(stream, copy, 1 << 20)
    if source:
        mark_as_written(published, source)
    return published


def _lost_lines(workspace: Workspace, last_step: Step, published: Path) -> int:
    """How many lines of the file are of samples that have none any more."""
    lost = 0
    # what cannot be read: putting the new file in its place succeeds, or says what is wrong
    with contextlib.suppress(OSError), published.open("rb") as lines:
        for line in lines:
            name = _sample_id(line)
            lost += name is not None and (
                name not in workspace.samples.entries or not workspace.shown_step(name, last_step)
            )
    return lost


def _sample_id(line: bytes) -> str | None:
    """None if the line is damaged. One that no run of this project wrote goes by its image, as TAO's do."""
    found = _SAMPLE_ID.search(line)
    try:
        if found is not None:
            return json.loads(found[1])
    except ValueError:
        return None
    record = json_object(line) or {}
    name = record.get("sample_id", record.get("image_id"))
    return None if name is None else str(name)

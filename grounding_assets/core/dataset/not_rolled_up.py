"""Results that no output file shows yet, since the run that stored them goes on or was killed."""

import os
from pathlib import Path

from grounding_assets.core.files import read_lines
from grounding_assets.core.steps import Step
from grounding_assets.core.store.checkpoint_store import CheckpointStore


def not_rolled_up(results_dir: Path) -> int:
    """How many samples have a result and no line in `annotations.jsonl`; 0 if there is no such file.

    Raises:
        InputError: the file cannot be read.
    """
    annotations = results_dir / "annotations.jsonl"
    stored = _stored_since(results_dir, annotations) if annotations.is_file() else set[str]()
    if stored:
        for record in read_lines(annotations):
            # TAO's lines and checkpoints go by image_id
            stored.discard(str(record.get("sample_id", record.get("image_id"))))
    return len(stored)


def _stored_since(results_dir: Path, file: Path) -> set[str]:
    """Ids of the samples whose result of the last step that adds lines is younger than the file."""
    folders = [
        CheckpointStore(results_dir / step.folder).done_dir for step in (Step.GROUNDING, Step.EXTRACTION)
    ]
    folder = next((folder for folder in folders if folder.is_dir()), None)
    written = file.stat().st_mtime_ns
    if folder is None or folder.stat().st_mtime_ns <= written:
        return set()
    with os.scandir(folder) as found:
        return {
            name
            for entry in found
            if (name := entry.name.removesuffix(".json")) != entry.name and _mtime_ns(entry) > written
        }


def _mtime_ns(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_mtime_ns
    except FileNotFoundError:
        # replaced by a run that goes on
        return 0

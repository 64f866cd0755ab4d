"""A results folder that TAO's `image_grounding` began: its finished results become ours, its files are kept aside.

What TAO finished has a checkpoint, or a record with boxes. A line without expressions that has no checkpoint is a
failure of TAO's, and is annotated like any other pending sample.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path, PurePath
from typing import Any

from grounding_assets.core.dataset.input_file import declared_size
from grounding_assets.core.dataset.sample_ids import pair_key
from grounding_assets.core.dataset.tao_records import cleaned_caption, is_tao_record, placed_rows
from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.files import stopping_if_unwritable
from grounding_assets.core.images.prepared_image import declared_or_header_size
from grounding_assets.core.records import Expression, GroundingStatus
from grounding_assets.core.steps import Step
from grounding_assets.core.store.checkpoint import Checkpoint, expression_from_record
from grounding_assets.core.store.fingerprint import grounding_fingerprint

ASIDE = ".tao"
ORIGIN = "NVIDIA TAO image_grounding"
_TAKEN_OVER = "taken_over"
_STEPS = (Step.EXTRACTION, Step.GROUNDING)


@dataclass(slots=True)
class TakenOver:
    """What became of TAO's results."""

    extractions: int = 0
    groundings: int = 0
    unknown: int = 0
    """Records of no sample of the input."""
    unreadable: int = 0
    """Records that break TAO's own form, and lines and files that cannot be read."""
    other_size: int = 0
    """Groundings whose boxes are in pixels of another size than the image has."""

    def notes(self, aside: Path) -> Iterator[str]:
        """What a user is told; `aside` is where TAO's files are kept."""
        yield (
            f"TAO began these results: {self.extractions} of step 0 and {self.groundings} of step 1 were taken over, "
            f"and its files are kept in {aside}."
        )
        if self.unknown:
            yield f"{self.unknown} records of TAO's belong to no line of the input."
        if self.unreadable:
            yield f"{self.unreadable} records of TAO's cannot be read; their samples are annotated."
        if self.other_size:
            yield (
                f"The boxes of {self.other_size} records of TAO's are in pixels of another size than their image has "
                "(TAO writes 1920 x 1080 if the input gives none): they are made again."
            )


def set_tao_files_aside(results_dir: Path, *, keep_extractions: bool) -> bool:
    """Moves what TAO wrote to `.tao/`, in the same places there; returns whether there is anything to take over.

    Args:
        keep_extractions: leaves step 0's `annotations.jsonl` where it is, since the run reads it.

    Raises:
        RunStopped: the folder cannot be written.
    """
    aside = results_dir / ASIDE
    if (aside / _TAKEN_OVER).exists():
        return False
    for path in chain.from_iterable(_files(results_dir, step) for step in _STEPS):
        own_input = keep_extractions and path.parent.name == Step.EXTRACTION.folder
        if not own_input and is_tao_record(_first_record(path)):
            target = aside / path.relative_to(results_dir)
            with stopping_if_unwritable(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                path.replace(target)
    return aside.is_dir()


def take_tao_results_over(workspace: Workspace) -> TakenOver:
    """Makes checkpoints of what TAO finished; nothing that is there already is replaced.

    Raises:
        RunStopped: the folder cannot be written.
    """
    aside, taken = workspace.results_dir / ASIDE, TakenOver()
    finder = _SampleFinder(workspace)
    for step in _STEPS:
        for path, record, is_checkpoint in _records(aside, step):
            if record is None:
                taken.unreadable += 1
                continue
            has_result = bool(record["expressions"]) if step is Step.EXTRACTION else _has_boxes(record)
            if not is_checkpoint and not has_result:
                continue
            sample_id = finder.find(record)
            if sample_id is None:
                taken.unknown += 1
                continue
            try:
                _take_over(workspace, sample_id, record, step, path.name, taken)
            except (KeyError, TypeError, ValueError, AttributeError):
                # damaged by hand: the sample stays pending, and is asked for
                taken.unreadable += 1
    for results in workspace.results.values():
        results.index.flush()
    with stopping_if_unwritable(aside):
        (aside / _TAKEN_OVER).touch()
    return taken


def _files(root: Path, step: Step) -> Iterator[Path]:
    """What TAO writes of a step: checkpoints first, and last the file that holds the results of either."""
    folder = root / step.folder
    checkpoints = sorted((folder / ".ckpt").glob("*.json"))
    return filter(Path.is_file, (*checkpoints, folder / "annotations.jsonl", root / "annotations.jsonl"))


def _first_record(path: Path) -> Any:
    """The first that can be read: a blank or broken line before it does not make a file another's."""
    return next((record for record in _read(path) if record is not None), None)


def _read(path: Path) -> Iterator[Any]:
    """The records of a JSONL file or a checkpoint; what cannot be read is None. Blank lines are none."""
    try:
        with path.open("rb") as lines:
            texts = lines if path.suffix == ".jsonl" else [lines.read()]
            for text in filter(bytes.strip, texts):
                try:
                    yield json.loads(text)
                except (ValueError, RecursionError):
                    yield None
    except OSError:
        yield None


def _records(aside: Path, step: Step) -> Iterator[tuple[Path, dict[str, Any] | None, bool]]:
    """(file, record, whether it is a checkpoint), checkpoints first; None for what cannot be read."""
    for path in _files(aside, step):
        for tree in _read(path):
            # the file of results is read for each step: what is broken in it is told once
            is_told = path.parent != aside or step is _STEPS[-1]
            if (tree is None and is_told) or is_tao_record(tree):
                yield path, tree, path.suffix == ".json"


def _has_boxes(record: dict[str, Any]) -> bool:
    return any(row.get("instances") for row in record["expressions"])


class _SampleFinder:
    """From a record of TAO's to its sample, by caption and image path: as given, with the image root before it, or under
    another root, if the file's name and the caption leave no doubt.
    """

    def __init__(self, workspace: Workspace):
        self._by_pair: dict[str, str] = {}
        self._by_name: dict[str, str | None] = {}
        for sample_id in workspace.samples.entries:
            sample = workspace.samples.read(sample_id)
            for path in (sample.image_path, str(workspace.image_file(sample))):
                self._by_pair.setdefault(pair_key(path, sample.caption), sample_id)
            name = pair_key(PurePath(sample.image_path).name, sample.caption)
            self._by_name[name] = None if name in self._by_name else sample_id

    def find(self, record: dict[str, Any]) -> str | None:
        path, caption = record["image_path"], record.get("caption")
        if not isinstance(caption, str):
            caption = cleaned_caption(record)
        for key in (path, str(Path(path).absolute())):
            if (sample_id := self._by_pair.get(pair_key(key, caption))) is not None:
                return sample_id
        return self._by_name.get(pair_key(PurePath(path).name, caption))


def _take_over(
    workspace: Workspace, sample_id: str, record: dict[str, Any], step: Step, file: str, taken: TakenOver
) -> None:
    sample, cleaned = workspace.samples.read(sample_id), cleaned_caption(record)
    rows, dropped = placed_rows(record)
    if step is Step.GROUNDING and not all("instances" in row for row in record["expressions"]):
        raise KeyError("instances")  # without which an expression is not one that the model did not see
    expressions = tuple(expression_from_record({**row, "instances": []}) for row in rows)
    stated = declared_size(record)
    image_size = declared_or_header_size(workspace.image_file(sample), stated)
    extraction = Checkpoint(
        sample_id=sample_id,
        fingerprint=workspace.samples.entries[sample_id].fingerprint,
        output_fingerprint=grounding_fingerprint(sample, cleaned, expressions),
        settings_fingerprint="",
        cleaned_caption=cleaned,
        expressions=expressions,
        image_size=image_size,
        provenance={"imported": True, "origin": ORIGIN, "file": file, "expressions_dropped": dropped},
        replies=(),
    )
    if not workspace.is_done(sample_id, Step.EXTRACTION):
        workspace.extractions.index.save(extraction)
        taken.extractions += 1
    if step is Step.EXTRACTION or workspace.is_done(sample_id, Step.GROUNDING):
        return
    if workspace.input_fingerprint(sample_id, Step.GROUNDING) != extraction.output_fingerprint:
        return
    if _has_boxes(record) and stated != image_size:
        taken.other_size += 1
        return
    grounding = replace(
        extraction,
        fingerprint=extraction.output_fingerprint,
        output_fingerprint="",
        expressions=tuple(_grounded(expression_from_record(row)) for row in rows),
    )
    workspace.groundings.index.save(grounding)
    taken.groundings += 1


def _grounded(expression: Expression) -> Expression:
    status = GroundingStatus.BOXED if expression.instances else GroundingStatus.NONE_SEEN
    return replace(expression, grounding_status=status)

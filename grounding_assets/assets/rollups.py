"""The rollups: from checkpoints to the JSONL files that users train on."""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg

from grounding_assets.assets.markdown import code_span
from grounding_assets.assets.outcome import raise_for_vanished
from grounding_assets.checks import annotation_check_specs, check_annotations
from grounding_assets.core.annotation.progress import Progress
from grounding_assets.core.dataset.audit import audit_annotations, balance_lines
from grounding_assets.core.dataset.published import publish_annotations
from grounding_assets.core.dataset.rollup import write_failures, write_step_annotations
from grounding_assets.core.errors import visible
from grounding_assets.core.files import read_lines
from grounding_assets.core.images.locations import ImageRoot
from grounding_assets.core.report import contact_sheet
from grounding_assets.core.review.reviews import Reviews
from grounding_assets.core.steps import Step
from grounding_assets.partitions import DataSetKeys
from resources.dataset import DataSet

_SHEET_COLUMNS, _SHEET_PX = 3, 480
"""Of the contact sheet, which is stored with the event: some 60 kB as text."""


_HOLDS = {
    Step.EXTRACTION: "cleaned captions and expressions",
    Step.GROUNDING: "the same records with boxes",
    Step.VERIFICATION: "the same records with `verified` and `complete`",
}


def build_rollups(keys: DataSetKeys, progress: Progress, steps: Sequence[Step]) -> list[dg.AssetsDefinition]:
    """One for each of the steps, in order, then that of the whole; `steps` are those in the graph."""
    return [
        *(_step_rollup(keys, progress, step) for step in steps),
        _published(keys, progress, after=steps[-1].rollup),
    ]


def _step_rollup(keys: DataSetKeys, progress: Progress, step: Step) -> dg.AssetsDefinition:
    @keys.asset_of_set(
        step.rollup,
        # not after the partitioned assets: a rollup after skipped outputs is skipped itself
        step.before.rollup if step.before else "annotation_run",
        group_name="rollups",
        kinds={"jsonl"},
        description=f"{step.folder}/annotations.jsonl: {_HOLDS[step]}. Next: `annotations`.",
    )
    def rollup(context: dg.AssetExecutionContext) -> Iterator[Any]:
        dataset = keys.dataset(context)
        workspace = dataset.workspace()
        notice = partial(_tell, context, progress)
        written = write_step_annotations(workspace, step, notice) if _has_results(dataset, step) else None
        figures = written.figures(step) if written else {}
        file = workspace.step(step).annotations
        yield dg.MaterializeResult(metadata={**figures, "file": dg.MetadataValue.path(str(file))})

    return rollup


def _tell(context: dg.AssetExecutionContext, progress: Progress, text: str) -> None:
    context.log.warning(visible(text))
    progress.notice(text)


def _has_results(dataset: DataSet, step: Step) -> bool:
    """A step that was never asked for gets no folder and no empty file."""
    return step in dataset.spec.workflow.run_steps or dataset.workspace().step(step).store.done_dir.is_dir()


def _published(keys: DataSetKeys, progress: Progress, *, after: str) -> dg.AssetsDefinition:
    @keys.asset_of_set(
        "annotations",
        after,
        check_specs=annotation_check_specs(keys),
        group_name="rollups",
        kinds={"jsonl"},
        description="annotations.jsonl, a copy of the last step's output, and failures.jsonl: "
        "every sample that has no result, with the reason. Next: `report`, to look at it.",
    )
    def annotations(context: dg.AssetExecutionContext) -> Iterator[Any]:
        dataset = keys.dataset(context)
        workspace = dataset.workspace()
        steps = dataset.spec.workflow.run_steps
        notice = partial(_tell, context, progress)
        file = publish_annotations(workspace, steps[-1], notice)
        failures = write_failures(workspace, steps)
        audit = audit_annotations(file)
        yield dg.MaterializeResult(
            metadata={
                **_contact_sheet(file, workspace.image_root),
                "file": dg.MetadataValue.path(str(file)),
                **audit.figures(),
                "failed": failures.failed,
                "pending": failures.pending,
                **{f"failed_{reason}": count for reason, count in sorted(failures.by_reason.items())},
                **_reviewed(workspace.results_dir),
            }
        )
        lines = balance_lines(workspace, steps, audit.lines)
        yield from check_annotations(keys, audit, lines, dataset.spec)
        raise_for_vanished(workspace)

    return annotations


def _reviewed(results_dir: Path) -> dict[str, int]:
    """What reviewers said so far, by kind."""
    counts = Reviews.load(results_dir).counts()
    return {f"review_{what.replace(' ', '_')}": count for what, count in counts.items()}


def _contact_sheet(annotations: Path, image_root: ImageRoot) -> dict[str, Any]:
    """A picture of the first grounded photos with their captions as Markdown; Dagster's page lets `data:` pictures through."""
    sheet = contact_sheet(
        read_lines(annotations), lambda path: image_root / path, columns=_SHEET_COLUMNS, max_px=_SHEET_PX
    )
    if sheet is None:
        return {}
    picture = (
        f"![Some photos with their boxes](data:image/jpeg;base64,{b64encode(sheet.jpeg).decode('ascii')})"
    )
    words = [f"{number}. {code_span(caption)}" for number, caption in enumerate(sheet.captions, 1)]
    return {"contact_sheet": dg.MetadataValue.md("\n".join([picture, "", *words]))}

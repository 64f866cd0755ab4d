"""How a run with failed samples ends: as failed, after everything that it can write has been written."""

from typing import get_args

import dagster as dg

from grounding_assets.core.annotation.summary import RunSummary
from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.spec.settings import ExportFormat
from grounding_assets.partitions import DataSetKeys

OUTPUTS = (
    "step_0_annotations",
    "step_1_annotations",
    "step_2_annotations",
    "annotations",
    "evaluation",
    *(f"export_{fmt}" for fmt in get_args(ExportFormat)),
    "report",
)
_RUNS_LOOKED_AT = 100


def outputs_in_run(context: dg.AssetExecutionContext, keys: DataSetKeys) -> list[str]:
    """The outputs that this run materializes, in the order in which they run."""
    wanted = set(context.job_def.asset_layer.executable_asset_keys)
    if context.run.asset_selection is not None:
        wanted &= context.run.asset_selection
    return [name for name in OUTPUTS if keys.asset(name) in wanted]


def raise_for_failures(failed: int, without_step_0: int, stopped_by: str = "") -> None:
    """Ends the run as failed where samples have no result.

    Args:
        stopped_by: what ended the run before everything was tried.

    Raises:
        dg.Failure: never retried by Dagster; the next run takes up exactly those samples.
    """
    if stopped_by:
        raise dg.Failure(stopped_by, allow_retries=False)
    if failed:
        raise dg.Failure(
            f"{failed} samples failed; failures.jsonl says why. Materialize annotation_run to retry just those.",
            allow_retries=False,
        )
    if without_step_0:
        raise dg.Failure(
            f"{without_step_0} samples have no output of the step before; run with workflow.steps "
            '["0", "1"], or ["0", "1", "2"].',
            allow_retries=False,
        )


def raise_for_vanished(workspace: Workspace) -> None:
    """Ends the run as failed where results have gone since they were made: its counts are too high by them.

    Raises:
        dg.Failure: the next run makes them again.
    """
    vanished = sum(results.index.vanished for results in workspace.results.values())
    if vanished:
        raise dg.Failure(
            f"{vanished} results have disappeared from {workspace.results_dir} while the run was going, and are "
            "missing from its outputs. Run again to make them anew.",
            allow_retries=False,
        )


def end_annotation(context: dg.AssetExecutionContext, keys: DataSetKeys, summary: RunSummary) -> None:
    """Called by the annotation step: leaves it to the last output to fail the run, where there is one."""
    if not outputs_in_run(context, keys) or keys.asset("annotation_run") not in context.selected_asset_keys:
        raise_for_failures(summary.failed, summary.without_step_0, str(summary.stopped_by or ""))


def end_output(context: dg.AssetExecutionContext, keys: DataSetKeys, output: str) -> None:
    """Called by each output when it has been written: the last one fails the run where samples failed.

    So does the same step of a run that is executed again from its failed step on, which annotates nothing:
    it must not pass for a success.
    """
    if outputs_in_run(context, keys)[-1] != output:
        return
    # not simply the last one: another run over the same samples may have ended meanwhile
    recent = context.instance.fetch_materializations(
        keys.asset("annotation_run"), limit=_RUNS_LOOKED_AT
    ).records
    own = (context.run_id, context.run.parent_run_id, context.run.root_run_id)
    materialized = next((r.asset_materialization for r in recent if r.run_id in own), None)
    if materialized is None:
        return
    figures = {name: value.value for name, value in materialized.metadata.items()}
    failed, without_step_0 = figures["failed"], figures["without_step_0"]
    assert isinstance(failed, int)
    assert isinstance(without_step_0, int)
    raise_for_failures(failed, without_step_0, str(figures.get("stopped_by", "")))

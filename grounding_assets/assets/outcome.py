"""How a run with failed samples ends: as failed, after everything that it can write has been written.

The last step of a run is a check on `annotation_run`, which fails the run, so that no asset is shown as failed
for the samples of another one.
"""

from collections.abc import Iterator, Sequence

import dagster as dg

from grounding_assets.core.annotation.summary import RunSummary
from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.partitions import DataSetKeys

_CHECK = "every_sample_has_a_result"
INCOMPLETE, WAITING = "incomplete", "waiting"
"""In the metadata of `annotation_run`: why a run has not done what it was asked for; what of it is in batch jobs."""
_RUNS_LOOKED_AT = 100


def build_outcome_check(keys: DataSetKeys, outputs: Sequence[dg.AssetKey]) -> dg.AssetChecksDefinition:
    """`outputs`: what a run writes before it ends, as far as it is to write it."""

    @dg.multi_asset_check(
        name=_op_name(keys),
        specs=[
            dg.AssetCheckSpec(
                _CHECK,
                asset=keys.asset("annotation_run"),
                additional_deps=outputs,
                description="No sample of the run failed, and all were tried. If not, the run ends as failed here, "
                "after its files are written.",
            )
        ],
    )
    def every_sample_has_a_result(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        recent = context.instance.fetch_materializations(
            keys.asset("annotation_run"), limit=_RUNS_LOOKED_AT
        ).records
        # also of the run that this one executes again: it annotates nothing, and must not pass for a success
        own = (context.run.run_id, context.run.parent_run_id, context.run.root_run_id)
        # not simply the last one: another run over the same samples may have ended meanwhile
        record = next((record for record in recent if record.run_id in own), None)
        materialized = (record or recent[0]).asset_materialization if recent else None
        if materialized is None:
            reason, waiting = "annotation_run was never materialized.", ""
        else:
            said = {name: str(value.value) for name, value in materialized.metadata.items()}
            reason, waiting = said.get(INCOMPLETE, ""), said.get(WAITING, "")
        yield dg.AssetCheckResult(
            asset_key=keys.asset("annotation_run"),
            check_name=_CHECK,
            passed=not (reason or waiting),
            severity=dg.AssetCheckSeverity.WARN if waiting and not reason else dg.AssetCheckSeverity.ERROR,
            description=reason or waiting or "Every sample of the run has a result.",
        )
        if record is not None:
            _fail_for(reason)

    return every_sample_has_a_result


def end_annotation(context: dg.AssetExecutionContext, keys: DataSetKeys, summary: RunSummary) -> None:
    """Called by the annotation step: leaves it to the check to fail the run, if the run has it.

    Raises:
        dg.Failure: samples have no result; never retried by Dagster, the next run takes up exactly those.
    """
    if not _ends_with_check(context, keys):
        _fail_for(summary.incompleteness)


def writes_files(context: dg.AssetExecutionContext, keys: DataSetKeys) -> bool:
    """Asked by the annotation step: whether other steps of the run write the files after it, however it ends."""
    wanted = set(context.job_def.asset_layer.executable_asset_keys)
    if context.run.asset_selection is not None:
        wanted &= context.run.asset_selection
    return _ends_with_check(context, keys) and keys.asset("annotations") in wanted


def _ends_with_check(context: dg.AssetExecutionContext, keys: DataSetKeys) -> bool:
    checked = keys.asset("annotation_run") in context.selected_asset_keys
    return checked and context.job_def.graph.has_node_named(_op_name(keys))


def raise_for_vanished(workspace: Workspace) -> None:
    """Ends the run as failed if results have gone since they were made: its counts are too high by them.

    Raises:
        dg.Failure: the next run makes them again.
    """
    vanished = sum(results.index.vanished for results in workspace.results.values())
    if vanished:
        _fail_for(
            f"{vanished} results disappeared from {workspace.results_dir} during the run, and are "
            "missing from its outputs. Run again to redo them."
        )


def _op_name(keys: DataSetKeys) -> str:
    return f"{keys.name}__{_CHECK}"


def _fail_for(reason: str) -> None:
    if reason:
        raise dg.Failure(reason, allow_retries=False)

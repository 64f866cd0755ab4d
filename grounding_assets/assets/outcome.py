"""What a run came to: kept with `annotation_run`, read by the check that ends the run and by the command's exit code.

A run with failed samples ends as failed, after everything that it can write has been written. Its last step is a check
on `annotation_run`, so that no asset is shown as failed for the samples of another one.
"""

from collections.abc import Container, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import dagster as dg

from grounding_assets.core.annotation.summary import RunSummary
from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.errors import EXIT_BY_SIGNAL, EXIT_OK, EXIT_SAMPLES_FAILED, EXIT_WAITING
from grounding_assets.partitions import DataSetKeys

_CHECK = "every_sample_has_a_result"
_RUNS_LOOKED_AT = 100


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to, as the metadata of `annotation_run` keeps it."""

    set_size: int = 0
    """Samples of the whole data set."""
    incomplete: str = ""
    """See `RunSummary.incompleteness`."""
    stopped_with: int | None = None
    """The exit code of what ended the run before everything was tried; None if nothing did."""
    waiting: str = ""
    """What of it is in batch jobs, and when to look again."""
    first_failures: str = ""
    """The first few, a line each."""

    @property
    def is_interrupted(self) -> bool:
        return (self.stopped_with or 0) > EXIT_BY_SIGNAL

    @property
    def exit_code(self) -> int:
        if self.stopped_with is not None:
            return self.stopped_with
        if self.incomplete:
            return EXIT_SAMPLES_FAILED
        return EXIT_WAITING if self.waiting else EXIT_OK

    @classmethod
    def of(cls, summary: RunSummary) -> "Outcome":
        batches = summary.batch_words or f"{summary.in_batches} samples wait for batch jobs."
        return cls(
            set_size=summary.set_size,
            incomplete=summary.incompleteness,
            stopped_with=summary.stopped_by.exit_code if summary.stopped_by else None,
            waiting=batches if summary.waits_for_batches else "",
            first_failures="\n".join(summary.first_failures),
        )

    def to_metadata(self) -> dict[str, Any]:
        """What is not empty."""
        return {name: value for name, value in asdict(self).items() if value not in ("", None)}

    @classmethod
    def of_materialization(cls, materialization: dg.AssetMaterialization) -> "Outcome":
        told = materialization.metadata
        kept: dict[str, Any] = {name: told[name].value for name in cls.__slots__ if name in told}
        return cls(**kept)


def outcome_of_runs(
    instance: dg.DagsterInstance, keys: DataSetKeys, run_ids: Container[str]
) -> Outcome | None:
    """Of the last of these runs that got as far as annotating; None if none did."""
    recent = instance.fetch_materializations(keys.asset("annotation_run"), limit=_RUNS_LOOKED_AT).records
    # not simply the last one: another run over the same samples may have ended meanwhile
    kept = (record.asset_materialization for record in recent if record.run_id in run_ids)
    return next((Outcome.of_materialization(one) for one in kept if one is not None), None)


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
        # also of the run that this one executes again: it annotates nothing, and must not pass for a success
        own = outcome_of_runs(
            context.instance, keys, (context.run.run_id, context.run.parent_run_id, context.run.root_run_id)
        )
        shown = own or _latest(context.instance, keys)
        reason, waiting = shown.incomplete, shown.waiting
        yield dg.AssetCheckResult(
            asset_key=keys.asset("annotation_run"),
            check_name=_CHECK,
            passed=not (reason or waiting),
            severity=dg.AssetCheckSeverity.WARN if waiting and not reason else dg.AssetCheckSeverity.ERROR,
            description=reason or waiting or "Every sample of the run has a result.",
        )
        if own is not None:
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


def _latest(instance: dg.DagsterInstance, keys: DataSetKeys) -> Outcome:
    """Of whichever run was the last to annotate."""
    event = instance.get_latest_materialization_event(keys.asset("annotation_run"))
    if event is None or event.asset_materialization is None:
        return Outcome(incomplete="annotation_run was never materialized.")
    return Outcome.of_materialization(event.asset_materialization)


def _op_name(keys: DataSetKeys) -> str:
    return f"{keys.name}__{_CHECK}"


def _fail_for(reason: str) -> None:
    if reason:
        raise dg.Failure(reason, allow_retries=False)

"""`auto_label generate` on a data set of shards: cuts, annotates, joins, and says what it came to."""

import sys
from collections.abc import Sequence

import dagster as dg

from grounding_assets.assets.planning import words_for_other_settings
from grounding_assets.cli.instance import persistent_instance
from grounding_assets.cli.materializing import Graph, stopped_by
from grounding_assets.cli.pilot import end_pilot
from grounding_assets.cli.report import renew_report
from grounding_assets.cli.shards.display import ShardsDisplay
from grounding_assets.cli.shards.processes import ShardProcesses
from grounding_assets.cli.shards.work import ShardWork
from grounding_assets.core.annotation.progress import NoProgress
from grounding_assets.core.budget.gates import require_gates
from grounding_assets.core.errors import (
    EXIT_OK,
    EXIT_SAMPLES_FAILED,
    GroundingError,
    Interrupted,
    visible,
)
from grounding_assets.core.shards.joining import current_status
from grounding_assets.core.shards.manifest import Manifest
from grounding_assets.core.shards.status import ShardStatus, added_up
from grounding_assets.core.spec.paths import scheme_of
from resources.dataset import DataSet
from resources.shards import (
    has_done_its_part,
    lines_of_run,
    manifest_of,
    refuse_on_whole,
    shards_of,
)
from resources.vlm.resource import teacher_notice


def generate_shards(dataset: DataSet, spec_file: str, overrides: Sequence[str]) -> int:
    """Annotates what is pending in all shards and joins their files; returns the exit code."""
    spec = dataset.spec
    refuse_on_whole(spec)
    workflow, graph = spec.workflow, Graph(spec, dataset.credentials, _Notices())
    stop: GroundingError | KeyboardInterrupt | None = None
    with persistent_instance() as instance:
        try:
            graph.materialize(instance, ["samples"])
        except dg.Failure as failure:
            raise stopped_by(failure) from None
        manifest = manifest_of(spec)
        before, lines = _total(dataset, manifest), lines_of_run(spec, manifest)
        if not before.done and (notice := teacher_notice(spec)):
            print(notice, file=sys.stderr)
        if (others := _made_otherwise(dataset, before)) and not workflow.redoes:
            print(words_for_other_settings(others))
        with ShardsDisplay(len(lines), sum(lines.values())) as display:
            try:
                if workflow.processes > 1:
                    processes = ShardProcesses(workflow.processes, spec_file, overrides, display)
                    processes.take_all([*lines])
                else:
                    ShardWork(dataset, manifest, instance, display).take_all([*lines])
            except GroundingError as error:
                stop = error
            except KeyboardInterrupt as interrupted:
                # what there is is joined first; then the command ends as interrupted
                stop = interrupted
        total = _total(dataset, manifest)
        _join(graph, instance, dataset)
    _print_outcome(dataset, manifest, before, total)
    try:
        if not isinstance(stop, (Interrupted, KeyboardInterrupt)) and not scheme_of(spec.results_dir):
            renew_report(dataset, spec_file, total.done + total.failed)
    finally:
        # that the page cannot be written says less than why the run ended
        if stop is not None:
            raise stop
    if workflow.is_pilot:
        require_gates(workflow, end_pilot(dataset, spec_file, overrides))
    return EXIT_OK if has_done_its_part(spec, manifest) else EXIT_SAMPLES_FAILED


class _Notices(NoProgress):
    def notice(self, text: str) -> None:
        print(visible(text))


def _join(graph: Graph, instance: dg.DagsterInstance, dataset: DataSet) -> None:
    """However the shards ended, what there is stands in the files."""
    total = _total(dataset, manifest_of(dataset.spec))
    outputs = ["annotations", *(["evaluation"] if dataset.spec.data.gold_jsonl and total.is_complete else [])]
    try:
        graph.materialize(instance, outputs)
    except dg.Failure as failure:
        # of a run that lacks results: it is said below, with what it came to
        if total.is_complete:
            raise stopped_by(failure) from None


def _total(dataset: DataSet, manifest: Manifest) -> ShardStatus:
    shards, steps = shards_of(dataset.spec), dataset.spec.workflow.run_steps
    return added_up(current_status(shards, manifest, key, steps) for key in manifest.keys)


def _made_otherwise(dataset: DataSet, total: ShardStatus) -> int:
    """How many results other settings made than those of this command."""
    own = {dataset.settings_fingerprint(step) for step in dataset.spec.workflow.run_steps}
    return sum(count for settings, count in total.settings.items() if settings not in own)


def _print_outcome(dataset: DataSet, manifest: Manifest, before: ShardStatus, total: ShardStatus) -> None:
    now = f" ({total.done - before.done:,} now, {before.done:,} before)" if before.done else ""
    words = (
        f"{total.done:,} of {total.samples:,} samples in {len(manifest.slices):,} shards have a result{now}"
    )
    if total.failed:
        words += f"; {total.failed:,} failed ({_reasons(total)})"
    if total.pending:
        words += f"; {total.pending:,} are still pending"
    print(f"{words}.")
    for count, what in (
        (manifest.rejected, "were rejected (rejected.jsonl says why)"),
        (total.repeated, "repeat one of their shard and share its result"),
        (manifest.repeated, "repeat one of another shard"),
    ):
        if count:
            print(f"Input:       {count:,} lines {what}.")
    where = shards_of(dataset.spec).where
    print(f"Annotations: {where}/annotations.jsonl")
    if total.failed:
        print(f"Failures:    {where}/failures.jsonl; the same command tries them again.")
        for failure in total.first_failures:
            print(f"             {visible(failure)}")


def _reasons(total: ShardStatus) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in total.by_reason.most_common())

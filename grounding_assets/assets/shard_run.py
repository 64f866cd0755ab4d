"""One shard, annotated by today's core in its own results folder, and what became of it."""

import time
from collections import Counter
from dataclasses import replace

import dagster as dg

from grounding_assets.assets.annotating import annotate_pending
from grounding_assets.assets.planning import plan, summary_of
from grounding_assets.assets.run_listener import RunListener
from grounding_assets.core.annotation.progress import Progress
from grounding_assets.core.annotation.summary import RunSummary
from grounding_assets.core.budget.prices import Prices
from grounding_assets.core.budget.stored_usage import stored_usage
from grounding_assets.core.dataset.audit import audit_annotations, balance_lines
from grounding_assets.core.dataset.rollup import FailureCounts, write_outputs
from grounding_assets.core.errors import visible
from grounding_assets.core.evaluation.results import sha256_of
from grounding_assets.core.files import stopping_if_unwritable, to_json, write_whole
from grounding_assets.core.shards.status import STATUS, ShardStatus
from resources.dataset import DataSet


def annotate_shard(
    context: dg.AssetExecutionContext, dataset: DataSet, progress: Progress, slice_sha256: str
) -> tuple[RunSummary, ShardStatus]:
    """Annotates what is pending in a shard; writes its files and its status however that ends.

    What ended it early is kept in the summary and not raised.
    """
    workspace, steps = dataset.workspace(), dataset.spec.workflow.run_steps
    summary = summary_of(dataset, steps)
    listener = RunListener(context, summary, progress)
    for text in dataset.notes:
        listener.notice(text)
    _, pending = plan(dataset, listener)
    try:
        with listener:
            summary.stopped_by = annotate_pending(dataset, pending, listener)
    finally:
        # however it ended, what it came to is on disk before anybody is told why
        failures = write_outputs(workspace, steps, listener.notice)
        status = replace(
            _status(dataset, failures), sha256=slice_sha256, first_failures=tuple(summary.first_failures)
        )
        file = workspace.results_dir / STATUS
        with stopping_if_unwritable(file):
            write_whole(file, to_json(status.to_dict()) + b"\n")
    context.log.info(visible(summary.sentence()))
    return summary, status


def _status(dataset: DataSet, failures: FailureCounts) -> ShardStatus:
    """What stands in the files that were just written."""
    workspace, steps, prices = dataset.workspace(), dataset.spec.workflow.run_steps, Prices.of(dataset.spec)
    entries = workspace.samples.entries
    taken = stored_usage(workspace.results_dir, prices.has_verifier).total(prices)
    file = workspace.results_dir / "annotations.jsonl"
    audit, written = audit_annotations(file), file.stat()
    missing = sum(bool(workspace.missing(one, steps)) for one in entries)
    return ShardStatus(
        steps=tuple(map(str, steps)),
        settings=sum((workspace.settings_of_results(entries, step) for step in steps), Counter()),
        samples=len(entries),
        done=len(entries) - missing,
        failed=failures.failed,
        pending=missing - failures.failed,
        repeated=workspace.samples.repeated,
        by_reason=failures.by_reason,
        calls=taken.calls,
        tokens_in=taken.tokens_in,
        tokens_out=taken.tokens_out,
        cost=taken.cost,
        size=written.st_size,
        written_ns=written.st_mtime_ns,
        digest=sha256_of(file),
        ended=time.time(),
        audit=audit,
        lines=balance_lines(workspace, steps, audit.lines),
    )


def missing_words(status: ShardStatus, partition: str) -> str:
    """Why a shard is not materialized, and what to do."""
    why = ", ".join(f"{count:,} {reason}" for reason, count in status.by_reason.most_common())
    failed = f"{status.failed:,} failed ({why})" if status.failed else "none failed"
    first = f" The first: {'; '.join(status.first_failures)}" if status.first_failures else ""
    return (
        f"{partition}: {status.done:,} of {status.samples:,} samples have a result, {failed}, {status.pending:,} are pending. "
        f"Launch the shard again for those, and for nothing else.{first}"
    )

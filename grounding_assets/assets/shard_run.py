"""One shard, annotated by today's core in its own results folder, and what became of it."""

import hashlib
import time
from collections import Counter
from collections.abc import Sequence

import dagster as dg

from grounding_assets.assets.annotating import annotate_pending
from grounding_assets.assets.planning import chosen_of_run, closed_gate, made_otherwise, order_redo, plan
from grounding_assets.assets.run_listener import RunListener
from grounding_assets.core.annotation.progress import Progress
from grounding_assets.core.annotation.summary import RunSummary
from grounding_assets.core.budget.prices import Prices
from grounding_assets.core.budget.stored_usage import stored_usage
from grounding_assets.core.dataset.audit import audit_annotations, balance_lines
from grounding_assets.core.dataset.rollup import FailureCounts, write_outputs
from grounding_assets.core.errors import visible
from grounding_assets.core.files import stopping_if_unwritable, to_json, write_whole
from grounding_assets.core.shards.status import STATUS, ShardStatus
from grounding_assets.core.steps import Step
from resources.dataset import DataSet


class ShardRun:
    """Annotates what is pending in a shard; writes its files and its status however that ends."""

    def __init__(
        self, context: dg.AssetExecutionContext, dataset: DataSet, progress: Progress, slice_sha256: str
    ):
        self._context, self._dataset, self._progress = context, dataset, progress
        self._slice_sha256 = slice_sha256
        self._workspace = dataset.workspace()
        samples = self._workspace.samples
        self.steps: Sequence[Step] = dataset.spec.workflow.run_steps
        self.status = ShardStatus()
        self.is_pilot = dataset.spec.workflow.is_pilot
        self.summary = RunSummary(
            set_size=len(samples.entries),
            steps=tuple(self.steps),
            max_workers=dataset.spec.workflow.max_workers,
            repeated_lines=samples.repeated,
        )

    def annotate(self) -> None:
        """Leaves what it came to in `summary` and `status`; what ended it early is kept there and not raised."""
        for text in self._dataset.notes:
            self._notice(text)
        dataset, workspace, summary, steps = self._dataset, self._workspace, self.summary, self.steps
        chosen = chosen_of_run(workspace, dataset.spec.workflow, None)
        chosen = order_redo(workspace, chosen, steps, self._notice, dataset.spec.workflow)
        summary.requested = len(chosen)
        pending = plan(workspace, chosen, steps, summary)
        summary.other_settings = made_otherwise(dataset, workspace, chosen, steps)
        listener = RunListener(self._context, summary, self._progress)
        self._progress.begin(summary)
        try:
            summary.stopped_by = closed_gate(dataset, workspace, pending) or annotate_pending(
                dataset, workspace, pending, listener, self._notice, self._warn
            )
        finally:
            # however it ended, what it came to is on disk before anybody is told why
            failures = write_outputs(workspace, steps, self._notice)
            self.status = self._status(failures)
            file = workspace.results_dir / STATUS
            with stopping_if_unwritable(file):
                write_whole(file, to_json(self.status.to_dict()) + b"\n")
            self._progress.end(summary)
        self._context.log.info(visible(summary.sentence()))

    def _status(self, failures: FailureCounts) -> ShardStatus:
        workspace, prices = self._workspace, Prices.of(self._dataset.spec)
        taken = stored_usage(workspace.results_dir, prices.has_verifier).total(prices)
        file = workspace.results_dir / "annotations.jsonl"
        audit, written = audit_annotations(file), file.stat()
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        missing = sum(bool(workspace.missing(one, self.steps)) for one in workspace.samples.entries)
        samples = len(workspace.samples.entries)
        return ShardStatus(
            steps=tuple(map(str, self.steps)),
            sha256=self._slice_sha256,
            settings=sum(
                (workspace.settings_of_results(workspace.samples.entries, step) for step in self.steps),
                Counter(),
            ),
            samples=samples,
            done=samples - missing,
            failed=failures.failed,
            pending=missing - failures.failed,
            repeated=workspace.samples.repeated,
            by_reason=failures.by_reason,
            calls=taken.calls,
            tokens_in=taken.tokens_in,
            tokens_out=taken.tokens_out,
            cost=taken.cost,
            first_failures=tuple(self.summary.first_failures),
            size=written.st_size,
            written_ns=written.st_mtime_ns,
            digest=digest,
            ended=time.time(),
            audit=audit,
            lines=balance_lines(workspace, self.steps, audit.lines),
        )

    def _notice(self, text: str) -> None:
        self._context.log.info(visible(text))
        self._progress.notice(text)

    def _warn(self, text: str) -> None:
        self._context.log.warning(text)
        self._progress.notice(text)
        self.summary.warnings.append(text)


def missing_words(status: ShardStatus, partition: str) -> str:
    """Why a shard is not materialized, and what to do."""
    why = ", ".join(f"{count:,} {reason}" for reason, count in status.by_reason.most_common())
    failed = f"{status.failed:,} failed ({why})" if status.failed else "none failed"
    first = f" The first: {'; '.join(status.first_failures)}" if status.first_failures else ""
    return (
        f"{partition}: {status.done:,} of {status.samples:,} samples have a result, {failed}, {status.pending:,} are pending. "
        f"Launch the shard again for those, and for nothing else.{first}"
    )

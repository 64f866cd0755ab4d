"""The graph of a data set that is cut into shards: `samples`, `annotated_shard` with a partition a shard, `annotations`."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import dagster as dg

from grounding_assets.assets.shard_run import annotate_shard, missing_words
from grounding_assets.checks import annotation_check_specs, check_annotations
from grounding_assets.core.annotation.progress import Progress
from grounding_assets.core.annotation.summary import RunSummary
from grounding_assets.core.errors import GroundingError, visible
from grounding_assets.core.shards.cutting import cut_input
from grounding_assets.core.shards.joining import current_status, join_shards
from grounding_assets.core.shards.status import ShardStatus
from grounding_assets.core.spec.settings import Spec
from grounding_assets.partitions import STANDING_VERSION, DataSetKeys, register_shards
from resources.dead_runs import fail_dead_runs, is_over
from resources.memory import keep_large_buffers_apart
from resources.shards import (
    has_done_its_part,
    lines_of_run,
    manifest_of,
    refuse_on_whole,
    shard_dataset,
    shard_size,
    shards_of,
)

_CHECK = "every_sample_has_a_result"


class ShardNotDone(dg.Failure):
    """Not every sample of the shard has a result."""

    def __init__(
        self, words: str, stopped_by: GroundingError | None, figures: Mapping[str, Any] | None = None
    ):
        super().__init__(words, metadata=figures, allow_retries=False)
        self.stopped_by = stopped_by
        """What ended the run before everything was tried; None if samples failed."""


def build_shard_assets(keys: DataSetKeys, progress: Progress) -> list[dg.AssetsDefinition]:
    return [_samples(keys, progress), _annotated_shard(keys, progress), _annotations(keys)]


def _samples(keys: DataSetKeys, progress: Progress) -> dg.AssetsDefinition:
    @keys.asset_of_set(
        "samples",
        group_name="input",
        kinds={"jsonl"},
        description="The input JSONL, checked line by line and cut into shards, which become the partitions of "
        "`annotated_shard`. Added lines make new shards; refused lines are listed in rejected.jsonl. Next: `annotated_shard`.",
    )
    def samples(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        dataset = keys.dataset(context)
        shards = shards_of(dataset.spec)
        manifest = cut_input(dataset.input_file, shard_size(dataset.spec), shards)
        added = register_shards(context.instance, keys, manifest.keys)
        if manifest.repeated:
            words = (
                f"{manifest.repeated:,} lines have the image and the caption of a line in an earlier shard: both are asked "
                "about, and stand in the output under one sample_id."
            )
            context.log.warning(words)
            progress.notice(words)
        return dg.MaterializeResult(
            data_version=STANDING_VERSION,
            metadata={
                "shards": len(manifest.slices),
                "shards_added": added,
                "shard_size": manifest.shard_size,
                "lines": manifest.lines,
                "rejected_lines": manifest.rejected,
                "repeated_in_other_shards": manifest.repeated,
                "input": dg.MetadataValue.path(str(dataset.input_file)),
                "results": dg.MetadataValue.path(shards.where),
            },
        )

    return samples


def _annotated_shard(keys: DataSetKeys, progress: Progress) -> dg.AssetsDefinition:
    @dg.asset(
        key=keys.asset("annotated_shard"),
        partitions_def=keys.shards,
        deps=[keys.asset("samples")],
        group_name="annotation",
        kinds={"vlm"},
        required_resource_keys={keys.resource},
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
        # a pilot ends well and leaves most of a shard undone
        output_required=False,
        description="A shard taken through all steps in a results folder of its own. It is materialized once every sample of "
        "it has a result; launch failed and missing ones again to go on. Next: `annotations`.",
    )
    def annotated_shard(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
        keep_large_buffers_apart()
        fail_dead_runs(context.instance)
        dataset = keys.dataset(context)
        key = keys.shard_of(context.partition_key)
        shards = shards_of(dataset.spec, context.run_id, partial(is_over, context.instance))
        try:
            refuse_on_whole(dataset.spec)
            manifest = manifest_of(dataset.spec)
            sha256 = manifest.slice_of(key).sha256
            lines = lines_of_run(dataset.spec, manifest).get(key, 0)
            if not lines:
                context.log.info(_left_out_words(dataset.spec))
                return
            status = current_status(shards, manifest, key, dataset.spec.workflow.run_steps)
            if status.is_complete and not shards.looks_again and not dataset.spec.workflow.redoes:
                yield dg.MaterializeResult(metadata=status.figures())
                return
            limit = lines if dataset.spec.workflow.limit else 0
            with shards.claimed(key), shards.opened(key) as folder:
                shard = shard_dataset(dataset, key, folder, limit)
                summary, status = annotate_shard(context, shard, progress, sha256)
        except GroundingError as error:
            raise ShardNotDone(str(error), error) from None
        yield from _came_to(context, keys, summary, status, is_pilot=dataset.spec.workflow.is_pilot)

    return annotated_shard


def _left_out_words(spec: Spec) -> str:
    """Why a run is not about a shard."""
    if spec.data.shard:
        return f"data.shard={spec.data.shard} takes another shard alone: leave it out to annotate this one."
    return f"workflow.limit={spec.workflow.limit} ends before this shard."


def _came_to(
    context: dg.AssetExecutionContext,
    keys: DataSetKeys,
    summary: RunSummary,
    status: ShardStatus,
    *,
    is_pilot: bool,
) -> Iterator[dg.MaterializeResult]:
    """The shard as materialized, if it is complete; raises what keeps it from being so, but for a pilot."""
    stop, figures = summary.stopped_by, status.figures()
    if stop is None and status.is_complete:
        yield dg.MaterializeResult(metadata=figures)
        return
    words = missing_words(status, context.partition_key) if stop is None else str(stop)
    # a failed partition shows its last materialization: this is what there is now
    context.log_event(
        dg.AssetObservation(
            keys.asset("annotated_shard"),
            partition=context.partition_key,
            description=visible(words),
            metadata=figures,
        )
    )
    if is_pilot and not summary.incompleteness:
        return
    raise ShardNotDone(visible(words), stop, figures)


def _annotations(keys: DataSetKeys) -> dg.AssetsDefinition:
    @dg.asset(
        key=keys.asset("annotations"),
        deps=[dg.AssetDep(keys.asset("annotated_shard"), partition_mapping=dg.AllPartitionMapping())],
        check_specs=[
            *annotation_check_specs(keys),
            dg.AssetCheckSpec(
                _CHECK,
                asset=keys.asset("annotations"),
                description="Every shard was annotated, and none of its samples failed. If not, the run ends as failed, after the "
                "files are written; a pilot does if that is so of its own samples.",
            ),
        ],
        group_name="rollups",
        kinds={"jsonl"},
        required_resource_keys={keys.resource},
        backfill_policy=dg.BackfillPolicy.single_run(),
        description="annotations.jsonl and failures.jsonl, joined of the shards' in the order of the input. Next: `report`.",
    )
    def annotations(context: dg.AssetExecutionContext) -> Iterator[Any]:
        dataset = keys.dataset(context)
        shards, manifest = shards_of(dataset.spec), manifest_of(dataset.spec)
        joined = join_shards(shards, manifest, dataset.spec.workflow.run_steps)
        yield dg.MaterializeResult(
            metadata={
                "file": dg.MetadataValue.path(f"{shards.where}/annotations.jsonl"),
                "shards": joined.shards,
                "shards_incomplete": len(joined.incomplete),
                **joined.total.figures(),
            }
        )
        yield from check_annotations(keys, joined.total.audit, joined.total.lines, dataset.spec)
        missing, is_pilot = joined.missing_words(), dataset.spec.workflow.is_pilot
        is_done = not missing or (is_pilot and has_done_its_part(dataset.spec, manifest))
        yield dg.AssetCheckResult(
            asset_key=keys.asset("annotations"),
            check_name=_CHECK,
            passed=not missing,
            severity=dg.AssetCheckSeverity.WARN if is_done else dg.AssetCheckSeverity.ERROR,
            description=missing or "Every sample of every shard has a result.",
        )
        if not is_done:
            raise dg.Failure(missing, allow_retries=False)

    return annotations

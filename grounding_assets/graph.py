"""The asset graph of one data set, put together from its parts."""

import warnings
from collections.abc import Sequence

import dagster as dg

from grounding_assets.assets.annotate import build_annotate
from grounding_assets.assets.batch_jobs import build_batch_jobs
from grounding_assets.assets.endpoint_check import build_endpoint_check
from grounding_assets.assets.evaluation import build_evaluation
from grounding_assets.assets.exports import build_exports
from grounding_assets.assets.outcome import build_outcome_check
from grounding_assets.assets.report import build_report
from grounding_assets.assets.rollups import build_rollups
from grounding_assets.assets.samples import build_samples
from grounding_assets.assets.shards import build_shard_assets
from grounding_assets.core.annotation.progress import NoProgress, Progress
from grounding_assets.core.dataset.names import dataset_name
from grounding_assets.core.spec.paths import scheme_of
from grounding_assets.core.spec.settings import Spec
from grounding_assets.core.steps import Step
from grounding_assets.partitions import DataSetKeys
from grounding_assets.sensors import build_batch_results, build_new_samples
from resources.credentials import Credentials
from resources.dagster_internals import UnresolvedAssetJobDefinition
from resources.dataset_resource import dataset_resource
from resources.shards import is_sharded

OUTPUT_GROUPS = ("rollups", "report", "exports")


def build_defs(
    spec: Spec,
    credentials: Credentials | None = None,
    *,
    progress: Progress | None = None,
    name: str | None = None,
    shared: bool = False,
) -> dg.Definitions:
    """The asset graph of one data set, named `name` or as the spec and the results folder say.

    `shared`: it is to be merged with those of other data sets. Keys are held by the resource object, never by its configuration.
    """
    keys = DataSetKeys(name or dataset_name(spec), shared)
    with warnings.catch_warnings():
        # single-run backfills are what ranges need; Dagster calls them beta
        warnings.simplefilter("ignore", dg.BetaWarning)
        return _definitions(spec, credentials or Credentials(), keys, progress or NoProgress())


def steps_in_graph(wanted: Sequence[Step]) -> tuple[Step, ...]:
    """The steps that have assets: those that every data set can be taken through, and those that are asked for."""
    return tuple(step for step in Step if step in wanted or not step.asks_verifier)


def _definitions(
    spec: Spec, credentials: Credentials, keys: DataSetKeys, progress: Progress
) -> dg.Definitions:
    outputs_of_whole = [
        build_report(keys, measured=bool(spec.data.gold_jsonl)),
        *([build_evaluation(keys)] if spec.data.gold_jsonl else []),
        *build_exports(keys, spec.image_grounding.export.formats),
    ]
    owners = [spec.data.owner] if spec.data.owner else []
    resources = {keys.resource: dataset_resource(spec, credentials)}
    if is_sharded(spec):
        # what reads a folder of this machine is left out if the results are in object storage
        here = [] if scheme_of(spec.results_dir) else [build_endpoint_check(keys), *outputs_of_whole]
        assets = [*build_shard_assets(keys, progress), *here]
        return dg.Definitions(
            assets=dg.map_asset_specs(lambda asset: asset.replace_attributes(owners=owners), assets),
            resources=resources,
            executor=dg.in_process_executor,
        )
    steps = steps_in_graph(spec.workflow.run_steps)
    assets = [
        build_samples(keys),
        build_endpoint_check(keys),
        build_annotate(keys, progress, steps),
        *([build_batch_jobs(keys)] if spec.vlm.batch.is_on else []),
        *build_rollups(keys, progress, steps),
        *outputs_of_whole,
    ]
    outputs = [key for part in assets for key in part.keys if part.group_names_by_key[key] in OUTPUT_GROUPS]
    return dg.Definitions(
        asset_checks=[build_outcome_check(keys, outputs)],
        assets=dg.map_asset_specs(lambda asset: asset.replace_attributes(owners=owners), assets),
        jobs=_jobs(keys),
        sensors=[
            build_new_samples(keys),
            *([build_batch_results(keys, spec.vlm.batch.look_every)] if spec.vlm.batch.is_on else []),
        ],
        resources=resources,
        # one op does the work; a process for each step would only cost start-up time
        executor=dg.in_process_executor,
    )


def _jobs(keys: DataSetKeys) -> list[UnresolvedAssetJobDefinition]:
    samples, run = (dg.AssetSelection.assets(keys.asset(name)) for name in ("samples", "annotation_run"))
    return [
        dg.define_asset_job(
            keys.own("annotate_pending"),
            selection=samples | run.downstream(),
            description="Reads the input, annotates everything that has no result yet (new samples, changed "
            "captions, earlier failures), and writes all outputs.",
        ),
        dg.define_asset_job(
            keys.own("rollup"),
            selection=keys.groups("rollups"),
            description="Writes the JSONL files of the results that are there, and checks them. Annotates "
            "nothing.",
        ),
    ]

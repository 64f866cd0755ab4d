"""The jobs of a data set: what is materialized together with one click."""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from grounding_assets.partitions import DataSetKeys


def build_jobs(keys: DataSetKeys) -> list[UnresolvedAssetJobDefinition]:
    samples, run = (dg.AssetSelection.assets(keys.asset(name)) for name in ("samples", "annotation_run"))
    return [
        dg.define_asset_job(
            "annotate_pending",
            selection=samples | run.downstream(),
            description="Reads the input, annotates everything that has no result yet (new samples, changed "
            "captions, earlier failures), and writes all outputs.",
        ),
        dg.define_asset_job(
            "rollup",
            selection=dg.AssetSelection.groups("rollups"),
            description="Writes the JSONL files of the results that are there, and checks them. Annotates "
            "nothing.",
        ),
    ]

"""The jobs of a data set: what is materialized together with one click."""

import dagster as dg

from grounding_assets.partitions import DataSetKeys
from resources.dagster_internals import UnresolvedAssetJobDefinition


def build_jobs(keys: DataSetKeys) -> list[UnresolvedAssetJobDefinition]:
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

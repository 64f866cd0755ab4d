"""The jobs of a data set: what is materialized together with one click."""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from grounding_assets.assets.outcome import OUTPUTS
from grounding_assets.partitions import DataSetKeys


def build_jobs(keys: DataSetKeys) -> list[UnresolvedAssetJobDefinition]:
    outputs = [keys.asset(name) for name in OUTPUTS]
    return [
        dg.define_asset_job(
            "annotate_pending",
            selection=dg.AssetSelection.assets(keys.asset("samples"), keys.asset("annotation_run"), *outputs),
            description="Reads the input, annotates everything that has no result yet (new samples, changed "
            "captions, earlier failures), and writes the outputs.",
        ),
        dg.define_asset_job(
            "rollup",
            selection=dg.AssetSelection.assets(*outputs),
            description="Writes the outputs of the results that are there. Annotates nothing.",
        ),
    ]

"""`batch_jobs`: the jobs of a data set with state, counts and age."""

from pathlib import Path
from typing import Any

import dagster as dg

from grounding_assets.core.batch.job_table import job_figures, job_table
from grounding_assets.core.batch.journal import read_jobs
from grounding_assets.partitions import DataSetKeys

NAME = "batch_jobs"


def build_batch_jobs(keys: DataSetKeys) -> dg.AssetsDefinition:
    @keys.asset_of_set(
        NAME,
        group_name="annotation",
        kinds={"vlm"},
        description="The batch jobs with their states, as they were last seen. Every run by batch brings this up to date; "
        "materialize it to see it now. The sensor `batch_results` collects them.",
    )
    def batch_jobs(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        dataset = keys.dataset(context)
        return dg.MaterializeResult(metadata=batch_metadata(dataset.results_dir))

    return batch_jobs


def batch_metadata(results_dir: Path) -> dict[str, Any]:
    jobs = read_jobs(results_dir)
    return {**job_figures(jobs), "jobs_table": dg.MetadataValue.md(job_table(jobs))}

"""`report`: the page on which people look at the annotations and judge them."""

import dagster as dg

from grounding_assets.partitions import DataSetKeys
from resources.dataset import DataSet


def build_report(keys: DataSetKeys, *, measured: bool) -> dg.AssetsDefinition:
    """`measured`: the graph has an evaluation, which the page shows."""

    @dg.asset(
        key=keys.asset("report"),
        deps=[keys.asset("annotations"), *([keys.asset("evaluation")] if measured else [])],
        group_name="report",
        kinds={"html"},
        required_resource_keys={keys.resource},
        backfill_policy=dg.BackfillPolicy.single_run(),
        description="report.html: every sample with its photo, boxes, expressions and failures, to be looked "
        "at in a browser. One file that opens from disk. Next: mark what is wrong there, then `auto_label review marks=FILE`.",
    )
    def report(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        dataset: DataSet = getattr(context.resources, keys.resource)
        file, written = dataset.write_report()
        return dg.MaterializeResult(
            metadata={
                "file": dg.MetadataValue.path(str(file)),
                "samples_shown": written.samples,
                "lines": written.figures.lines,
                "failed": written.figures.failures.total(),
                "photo_px": written.photo_px,
                "megabytes": round(written.size_bytes / 1e6, 2),
            }
        )

    return report

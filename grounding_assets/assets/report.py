"""`report`: the page on which people look at the annotations and judge them."""

import dagster as dg

from grounding_assets.partitions import DataSetKeys


def build_report(keys: DataSetKeys, *, measured: bool) -> dg.AssetsDefinition:
    """`measured`: the graph has an evaluation, which the page shows."""

    @keys.asset_of_set(
        "report",
        "annotations",
        *(["evaluation"] if measured else []),
        group_name="report",
        kinds={"html"},
        description="report.html: every sample with its photo, boxes, expressions and failures, to be looked "
        "at in a browser. One file that opens from disk. Next: mark what is wrong there, then `auto_label review marks=FILE`.",
    )
    def report(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        dataset = keys.dataset(context)
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

"""`export_<format>`: the annotations in a format that trainers load, one asset for each format of the spec."""

from dataclasses import asdict

import dagster as dg

from grounding_assets.core.spec.export_settings import ExportFormat
from grounding_assets.partitions import DataSetKeys
from resources.dataset import DataSet
from resources.exporting import write_export


def build_exports(keys: DataSetKeys, formats: tuple[ExportFormat, ...]) -> list[dg.AssetsDefinition]:
    return [_build_export(keys, fmt) for fmt in dict.fromkeys(formats)]


def _build_export(keys: DataSetKeys, fmt: ExportFormat) -> dg.AssetsDefinition:
    name = f"export_{fmt}"

    @dg.asset(
        key=keys.asset(name),
        deps=[keys.asset("annotations")],
        group_name="exports",
        kinds={"parquet" if fmt == "parquet" else "json"},
        required_resource_keys={keys.resource},
        backfill_policy=dg.BackfillPolicy.single_run(),
        description=f"exports/{fmt}: the annotations as {fmt}, filtered and split as image_grounding.export says, "
        "without what reviewers rejected. Next: read the README.md in that folder.",
    )
    def export_annotations(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        dataset: DataSet = getattr(context.resources, keys.resource)
        report = write_export(dataset.spec, fmt)
        counts = {
            f"{split}_{what}": count
            for split, held in report.splits.items()
            for what, count in asdict(held).items()
        }
        return dg.MaterializeResult(
            metadata={
                "folder": dg.MetadataValue.path(str(report.out_dir)),
                "demo_samples": report.demo_samples,
                **counts,
                "left_out": dg.MetadataValue.json(report.to_dict()["left_out"]),
                "reviewed": dg.MetadataValue.json(report.to_dict()["reviewed"]),
            }
        )

    return export_annotations

"""`export_<format>`: the annotations in a format that trainers load, one asset for each format of the spec."""

from dataclasses import asdict

import dagster as dg

from grounding_assets.core.spec.export_settings import ExportFormat
from grounding_assets.partitions import DataSetKeys
from resources.exporting import write_export


def build_exports(keys: DataSetKeys, formats: tuple[ExportFormat, ...]) -> list[dg.AssetsDefinition]:
    return [_build_export(keys, fmt) for fmt in dict.fromkeys(formats)]


def _build_export(keys: DataSetKeys, fmt: ExportFormat) -> dg.AssetsDefinition:
    @keys.asset_of_set(
        f"export_{fmt}",
        "annotations",
        group_name="exports",
        kinds={"parquet" if fmt == "parquet" else "json"},
        description=f"exports/{fmt}: the annotations as {fmt}, filtered and split as image_grounding.export says, "
        "without what reviewers rejected. Next: read the README.md in that folder.",
    )
    def export_annotations(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        dataset = keys.dataset(context)
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

"""An export as the spec configures it, out of a results folder."""

from pathlib import Path

from grounding_assets.core.exports.export import export
from grounding_assets.core.exports.filters import ExportFilters
from grounding_assets.core.exports.report import ExportReport
from grounding_assets.core.exports.splits import SplitOptions
from grounding_assets.core.files import read_lines
from grounding_assets.core.spec.settings import ExportFormat, ExportSpec


def write_configured_export(results_dir: Path, fmt: ExportFormat, settings: ExportSpec) -> ExportReport:
    """Writes `results_dir/exports/<format>` from `annotations.jsonl`; see `export` for the errors."""
    filters = ExportFilters(
        min_score=settings.min_score,
        drop_unboxed=settings.drop_unboxed,
        max_box_share=settings.max_box_share if settings.max_box_share < 1 else None,
    )
    return export(
        read_lines(results_dir / "annotations.jsonl"),
        results_dir / "exports" / fmt,
        fmt,
        filters,
        SplitOptions(settings.fractions, settings.seed),
        allow_demo_teacher=settings.allow_demo_teacher,
    )

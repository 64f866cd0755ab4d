"""An export as the spec asks for it, out of its results folder."""

from pathlib import Path

from grounding_assets.core.exports import ExportReport, export
from grounding_assets.core.files import read_lines
from grounding_assets.core.review.reviews import Reviews
from grounding_assets.core.spec.export_settings import ExportFormat
from grounding_assets.core.spec.settings import Spec


def write_export(spec: Spec, fmt: ExportFormat) -> ExportReport:
    """Writes `results_dir/exports/<format>` from `annotations.jsonl` and `reviews.jsonl`; see `export` for the errors."""
    results_dir = Path(spec.results_dir).absolute()
    return export(
        read_lines(results_dir / "annotations.jsonl"),
        results_dir / "exports" / fmt,
        fmt,
        spec.image_grounding.export,
        Reviews.load(results_dir),
    )

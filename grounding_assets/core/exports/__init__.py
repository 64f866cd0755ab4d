"""Annotations in the formats that trainers load. Writing only; reading foreign formats is `evaluation.gold`."""

from grounding_assets.core.exports.export import export
from grounding_assets.core.exports.filters import ExportFilters
from grounding_assets.core.exports.report import ExportReport, Format
from grounding_assets.core.exports.splits import SplitOptions

__all__ = ["ExportFilters", "ExportReport", "Format", "SplitOptions", "export"]

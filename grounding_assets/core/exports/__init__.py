"""Annotations in the formats that trainers load. Writing only; reading foreign formats is `evaluation.gold`.

Imports `review` and what lies below it.
"""

from grounding_assets.core.exports.export import export
from grounding_assets.core.exports.report import ExportReport

__all__ = ["ExportReport", "export"]

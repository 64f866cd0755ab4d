"""What an export did, as numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grounding_assets.core.exports.filters import ExportFilters
from grounding_assets.core.exports.origins import Origins
from grounding_assets.core.exports.splits import SplitOptions
from grounding_assets.core.exports.writer import SplitCounts
from grounding_assets.core.spec.settings import ExportFormat

Format = ExportFormat


@dataclass(frozen=True, slots=True)
class ExportReport:
    fmt: Format
    out_dir: Path
    files: tuple[str, ...]
    """Names directly under `out_dir`, folders included."""
    splits: Mapping[str, SplitCounts]
    """As written, by split."""
    left_out: Mapping[str, int]
    """By kind, in words."""
    demo_samples: int
    """Samples that the embedded demonstration teacher annotated."""
    origins: Origins
    filters: ExportFilters
    split: SplitOptions

    def to_dict(self) -> dict[str, Any]:
        """For `export.json` and asset metadata."""
        return {
            "format": self.fmt,
            "files": list(self.files),
            "splits": {name: counts.to_dict() for name, counts in self.splits.items()},
            "left_out": {what: count for what, count in sorted(self.left_out.items()) if count},
            "demo_samples": self.demo_samples,
            "made_by": [{**origin._asdict(), "samples": n} for origin, n in self.origins.counts.items()],
            "filters": self.filters.to_dict(),
            "split": {"fractions": dict(self.split.fractions), "seed": self.split.seed},
        }

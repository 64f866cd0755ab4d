"""What an export did, as numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grounding_assets.core.exports.chat_model import ChatModel
from grounding_assets.core.exports.origins import Origins
from grounding_assets.core.exports.writer import SplitCounts
from grounding_assets.core.spec.export_settings import ExportFormat, ExportSpec


@dataclass(frozen=True, slots=True)
class ExportReport:
    fmt: ExportFormat
    out_dir: Path
    files: tuple[str, ...]
    """Names directly under `out_dir`, folders included."""
    splits: Mapping[str, SplitCounts]
    """As written, by split."""
    left_out: Mapping[str, int]
    """By kind, in words."""
    reviewed: Mapping[str, int]
    """What reviewers confirmed or corrected, before the filters; by kind, in words."""
    notes: Mapping[str, int]
    """What is worth knowing of what was written, by kind, in words."""
    demo_samples: int
    """Samples that the embedded demonstration teacher annotated."""
    origins: Origins
    settings: ExportSpec
    chat_model: ChatModel

    def to_dict(self) -> dict[str, Any]:
        """For `export.json` and asset metadata."""
        return {
            "format": self.fmt,
            "files": list(self.files),
            "splits": {name: counts.to_dict() for name, counts in self.splits.items()},
            "left_out": {what: count for what, count in sorted(self.left_out.items()) if count},
            "reviewed": {what: count for what, count in sorted(self.reviewed.items()) if count},
            "notes": {what: count for what, count in sorted(self.notes.items()) if count},
            "demo_samples": self.demo_samples,
            "made_by": [{**origin._asdict(), "samples": n} for origin, n in self.origins.counts.items()],
            "filters": self.filters(),
            "split": {"fractions": dict(self.settings.fractions), "seed": self.settings.seed},
        }

    @property
    def empty_splits(self) -> list[str]:
        """Splits that no image fell into."""
        return [name for name, counts in self.splits.items() if not counts.samples]

    def filters(self) -> dict[str, Any]:
        """The settings other than the splits, by name."""
        return self.settings.model_dump(mode="json", exclude={"formats", "fractions", "seed"})

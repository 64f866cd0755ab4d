"""What an import came to."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from grounding_assets.core.importing.rows import LeftOut
from grounding_assets.core.input_forms import Form


@dataclass(slots=True)
class ImportReport:
    """Counts of what was written and of what was left out, with the first place of each reason."""

    form: Form
    output: Path
    image_root: Path
    """Folder that the written image paths start from."""
    written: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    first_place: dict[str, str] = field(default_factory=dict)
    used_fields: dict[str, set[str]] = field(default_factory=dict)
    """Names that image, caption and id were found under."""
    without_caption: int = 0
    images_found: int = 0
    """Records whose image is there."""
    first_missing: str = ""
    seen_fields: tuple[str, ...] = ()
    """Names of the fields of the first row."""
    extracted: Path | None = None
    """Folder of the images that were taken out of archives."""
    gold: Path | None = None
    """File of gold records that was written beside it."""

    def leave_out(self, row: LeftOut) -> None:
        self.left_out[row.reason] += row.count
        self.first_place.setdefault(row.reason, row.place)

    def left_out_words(self) -> list[str]:
        """One line a reason, the most frequent first."""
        return [
            f"{count:,} left out: {reason}; first: {self.first_place[reason]}"
            for reason, count in self.left_out.most_common()
        ]

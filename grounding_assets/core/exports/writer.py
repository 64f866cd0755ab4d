"""What every export format is given, and offers to the driver.

Not here: filters, splits, where the files finally go (`export`, `staging`), what is counted (`report`).
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from grounding_assets.core.dataset.annotated import AnnotatedSample
from grounding_assets.core.exports.by_image import ImageGroups
from grounding_assets.core.exports.images import ExportedImages
from grounding_assets.core.exports.report import ExportReport

FileT = TypeVar("FileT")


@dataclass(frozen=True, slots=True)
class ExportJob:
    """What a writer works with."""

    folder: Path
    """Where its files go: existing, empty."""
    scratch: Path
    """An existing folder for what is needed while writing only."""
    images: ExportedImages
    report: ExportReport


class Writer(ABC):
    """Writes one format into a folder, one file or set of files a split."""

    def __init__(self, job: ExportJob):
        self.job, self.report, self.settings = job, job.report, job.report.settings
        self.files = ExitStack()

    def each_split(
        self, suffix: str, make: Callable[[Path], AbstractContextManager[FileT]]
    ) -> dict[str, FileT]:
        """`<split><suffix>` for every split, as `make` opens it; `close` closes them."""
        return {
            split: self.files.enter_context(make(self.job.folder / (split + suffix)))
            for split in self.report.splits
        }

    def image_groups(self) -> ImageGroups:
        """A place to bring the samples of each image together; `close` closes it."""
        return self.files.enter_context(closing(ImageGroups(self.job.scratch / "images.sqlite")))

    @abstractmethod
    def add(self, sample: AnnotatedSample, split: str) -> bool:
        """Whether the format can hold the sample; one that it cannot is counted as left out."""

    def finish(self) -> None:  # noqa: B027 - some formats have nothing left to write
        """Writes what could only be written at the end."""

    def close(self) -> None:
        """Releases files, finished or not."""
        self.files.close()


class LinesWriter(Writer):
    """`<split>.jsonl` for every split.

    Escaped to ASCII, since loaders open the files in whatever encoding the machine has set.
    """

    def __init__(self, job: ExportJob):
        super().__init__(job)
        self._lines = self.each_split(".jsonl", lambda path: path.open("w", encoding="ascii"))

    def write_line(self, split: str, line: Mapping[str, Any]) -> None:
        self._lines[split].write(json.dumps(line, allow_nan=False) + "\n")

"""A note beside an output file on what it was made of: has it been edited since, is it still current?"""

import json
from pathlib import Path
from typing import Any

from grounding_assets.core.files import replacing, stopping_if_unwritable, to_json


def mark_as_written(file: Path, source: str, figures: dict[str, Any] | None = None) -> None:
    """Remembers that `file` is as it was just written, from a source with this digest."""
    with stopping_if_unwritable(file):
        status = file.stat()
    mark = {
        "mtime_ns": status.st_mtime_ns,
        "size": status.st_size,
        "source": source,
        "figures": figures or {},
    }
    with stopping_if_unwritable(_mark(file)), replacing(_mark(file)) as stream:
        stream.write(to_json(mark))


def written_mark(file: Path) -> dict[str, Any] | None:
    """The mark, if the file is still as it was written; None if it was edited, or never marked."""
    try:
        status = file.stat()
        mark = json.loads(_mark(file).read_bytes())
        unchanged = (mark["mtime_ns"], mark["size"]) == (status.st_mtime_ns, status.st_size)
        return mark if unchanged and {"source", "figures"} <= mark.keys() else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def is_current(file: Path, source: str) -> bool:
    """Whether the file is there, unedited, and made of this source."""
    mark = written_mark(file)
    return mark is not None and mark["source"] == source


def _mark(file: Path) -> Path:
    return file.with_name(f".{file.stem}.written.json")

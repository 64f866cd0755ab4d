"""The formats, and what an export's folder holds."""

from pathlib import Path

from grounding_assets.core.exports.export import WRITERS

FORMATS = list(WRITERS)


def folder_content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}

"""What the person who imports may say."""

from dataclasses import dataclass
from pathlib import Path

from grounding_assets.core.input_forms import Form


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """Empty and None mean: as it is found."""

    form: Form | None = None
    image_root: Path | None = None
    """Folder that the source's relative image paths start from; None: where the source lies."""
    image_field: str = ""
    caption_field: str = ""
    id_field: str = ""
    """Names of the source's fields, if they are not the usual ones of `input_forms`."""
    encoding: str = ""
    """Of tables and text files; empty: UTF-8, or what a byte order mark says."""
    no_quotes: bool = False
    """Quotation marks of a table are part of its text."""
    caption_per_line: bool = False
    """Each line of a text file is a caption; else the whole file is one."""
    caption_from_model: bool = False
    """Images without a caption are kept, for the model to describe; else they are left out."""
    overwrite: bool = False
    """Replace an output that exists."""

"""Images and captions in the forms that people have, written as an input JSONL. The forms' names: `input_forms`.

Imports `evaluation` and what lies below it.
"""

from grounding_assets.core.importing.importer import import_source
from grounding_assets.core.importing.options import ImportOptions
from grounding_assets.core.importing.report import ImportReport

__all__ = ["ImportOptions", "ImportReport", "import_source"]

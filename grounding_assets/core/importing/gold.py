"""Flickr30k Entities and RefCOCO as input rows, their human boxes as a file of gold beside it."""

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from grounding_assets.core.evaluation.gold import flickr30k_gold, refcoco_gold
from grounding_assets.core.files import to_json
from grounding_assets.core.importing.rows import Row
from grounding_assets.core.input_forms import Form

_INPUT_FIELDS = ("image_id", "image_path", "caption", "width", "height")


def read_gold(form: Form, source: Path, gold: IO[bytes]) -> Iterator[Row]:
    """A row for each gold record, which is written to `gold`.

    Raises:
        InputError: a file is missing or not what it should be.
    """
    for number, record in enumerate(_records(form, source), 1):
        gold.write(to_json(record) + b"\n")
        yield Row(f"record {number}", {name: record[name] for name in _INPUT_FIELDS})


def _records(form: Form, source: Path) -> Iterator[dict[str, Any]]:
    if form is Form.FLICKR30K:
        return flickr30k_gold(source)
    return refcoco_gold(source, source.parent / "instances.json")

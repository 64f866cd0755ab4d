"""Parquet: the whole record, one row a sample, for `datasets`, pandas and DuckDB.

Expressions and instances are nested lists of structs. What has no column (pass-through fields,
provenance, later additions to an expression or a box) is kept as JSON text. pyarrow is optional.
"""

import json
from collections.abc import Mapping
from typing import Any

from grounding_assets.core.dataset.annotated import AnnotatedSample
from grounding_assets.core.errors import InputError, SpecError
from grounding_assets.core.exports.writer import ExportJob, Writer
from grounding_assets.core.review.judged import sample_id_of

ROWS_A_GROUP = 500
BYTES_A_GROUP = 64 << 20
"""Of embedded images."""
_INSTANCE = {
    "bbox_id": "string",
    "bbox": ["int32"],
    "score": "double",
    "score_source": "string",
    "verified": "bool",
}
_EXPRESSION = {
    "expression_id": "string",
    "text": "string",
    "char_span": ["int32"],
    "noun_chunk": "string",
    "span_status": "string",
    "grounding_status": "string",
    "complete": "bool",
    "instances": [_INSTANCE],
}
_RECORD = {
    "image_id": "string",
    "sample_id": "string",
    "image_path": "string",
    "caption": "string",
    "width": "int32",
    "height": "int32",
    "cleaned_caption": "string",
    "expressions": [_EXPRESSION],
    "source": "string",
    "pipeline_steps": ["string"],
    "provenance": "string",
}
"""Columns and their Arrow types; each struct has `other_fields` besides."""


class ParquetWriter(Writer):
    """`<split>.parquet`; with `embed_images` a column `image` as `datasets.Image` reads it."""

    def __init__(self, job: ExportJob):
        super().__init__(job)
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            raise SpecError("format=parquet needs pyarrow: run `pip install pyarrow`.") from None
        self._images = job.images if self.settings.embed_images else None
        self._pyarrow, self._schema = pyarrow, pyarrow.schema(list(_type(pyarrow, _RECORD)))
        if self._images:
            image = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
            self._schema = self._schema.append(pyarrow.field("image", image))
        self._writers = self.each_split(
            ".parquet", lambda path: pyarrow.parquet.ParquetWriter(path, self._schema)
        )
        self._rows: dict[str, list[dict[str, Any]]] = {split: [] for split in self.report.splits}
        self._held = dict.fromkeys(self.report.splits, 0)

    def add(self, sample: AnnotatedSample, split: str) -> bool:
        rows = self._rows[split]
        row = parquet_row(sample)
        if self._images:
            row["image"] = {"bytes": self._images.content(sample.image_path), "path": sample.image_path}
            self._held[split] += len(row["image"]["bytes"])
        rows.append(row)
        boxes = sum(len(expression.instances) for expression in sample.expressions)
        self.report.wrote(split, sample.image_path, expressions=len(sample.expressions), boxes=boxes)
        if len(rows) >= ROWS_A_GROUP or self._held[split] >= BYTES_A_GROUP:
            self._write(split)
        return True

    def finish(self) -> None:
        for split in self._rows:
            self._write(split)

    def _write(self, split: str) -> None:
        if rows := self._rows[split]:
            try:
                table = self._pyarrow.Table.from_pylist(rows, schema=self._schema)
            except (self._pyarrow.ArrowInvalid, self._pyarrow.ArrowTypeError) as error:
                raise InputError(
                    f"A field of the records has a type that its column does not hold: {error}."
                ) from None
            self._writers[split].write_table(table)
            rows.clear()
            self._held[split] = 0


def parquet_row(sample: AnnotatedSample) -> dict[str, Any]:
    """A record with a fixed set of columns; columns that the record lacks are null."""
    record = sample.record
    row = _columns(record, _RECORD)
    row["image_id"], row["sample_id"] = sample.image_id, sample_id_of(record)
    row["provenance"] = _json_or_none(row["provenance"])
    row["expressions"] = [_columns(expression, _EXPRESSION) for expression in row["expressions"]]
    for expression in row["expressions"]:
        expression["instances"] = [_columns(instance, _INSTANCE) for instance in expression["instances"]]
    return row


def _columns(fields: Mapping[str, Any], columns: Mapping[str, Any]) -> dict[str, Any]:
    other = {name: value for name, value in fields.items() if name not in columns}
    return {name: fields.get(name) for name in columns} | {"other_fields": _json_or_none(other or None)}


def _json_or_none(value: Any) -> str | None:
    return None if value is None else json.dumps(value)


def _type(pa: Any, of: Any) -> Any:
    """The Arrow type of a name, a list of one type, or a struct of columns."""
    if isinstance(of, str):
        return pa.type_for_alias(of)
    if isinstance(of, list):
        return pa.list_(_type(pa, of[0]))
    return pa.struct([*((name, _type(pa, one)) for name, one in of.items()), ("other_fields", pa.string())])

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
_RECORD = (
    "sample_id",
    "image_path",
    "caption",
    "width",
    "height",
    "cleaned_caption",
    "source",
    "pipeline_steps",
)
_EXPRESSION = (
    "expression_id",
    "text",
    "char_span",
    "noun_chunk",
    "span_status",
    "grounding_status",
    "complete",
)
_INSTANCE = ("bbox_id", "bbox", "score", "score_source", "verified")


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
        self._pyarrow, self._schema = pyarrow, _schema(pyarrow, embed_images=bool(self._images))
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
    row = _columns(record, _RECORD, without={"image_id", "expressions", "provenance"})
    row["image_id"], row["sample_id"] = sample.image_id, sample_id_of(record)
    row["provenance"] = _json_or_none(record.get("provenance"))
    row["expressions"] = []
    for expression in record["expressions"]:
        columns = _columns(expression, _EXPRESSION, without={"instances"})
        columns["instances"] = [
            _columns(instance, _INSTANCE, without=set()) for instance in expression["instances"]
        ]
        row["expressions"].append(columns)
    return row


def _columns(fields: Mapping[str, Any], names: tuple[str, ...], *, without: set[str]) -> dict[str, Any]:
    other = {name: value for name, value in fields.items() if name not in names and name not in without}
    return {name: fields.get(name) for name in names} | {"other_fields": _json_or_none(other or None)}


def _json_or_none(value: Any) -> str | None:
    return None if value is None else json.dumps(value)


def _schema(pa: Any, *, embed_images: bool) -> Any:
    instance = {
        "bbox_id": pa.string(),
        "bbox": pa.list_(pa.int32()),
        "score": pa.float64(),
        "score_source": pa.string(),
        "verified": pa.bool_(),
        "other_fields": pa.string(),
    }
    expression = {
        "expression_id": pa.string(),
        "text": pa.string(),
        "char_span": pa.list_(pa.int32()),
        "noun_chunk": pa.string(),
        "span_status": pa.string(),
        "grounding_status": pa.string(),
        "complete": pa.bool_(),
        "instances": pa.list_(pa.struct(list(instance.items()))),
        "other_fields": pa.string(),
    }
    record = {
        "image_id": pa.string(),
        "sample_id": pa.string(),
        "image_path": pa.string(),
        "caption": pa.string(),
        "width": pa.int32(),
        "height": pa.int32(),
        "cleaned_caption": pa.string(),
        "expressions": pa.list_(pa.struct(list(expression.items()))),
        "source": pa.string(),
        "pipeline_steps": pa.list_(pa.string()),
        "provenance": pa.string(),
        "other_fields": pa.string(),
    }
    if embed_images:
        record["image"] = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    return pa.schema(list(record.items()))

"""An import from its first row to the file in its place: all of it, or nothing."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from grounding_assets.core.dataset.input_file import MAX_LINE_BYTES, LineError, parse_line
from grounding_assets.core.errors import InputError
from grounding_assets.core.files import replacing, stopping_if_unwritable, to_json
from grounding_assets.core.importing.archives import read_archives
from grounding_assets.core.importing.arrow import read_datasets_folder, read_parquet
from grounding_assets.core.importing.documents import read_coco, read_json_array, read_json_lines
from grounding_assets.core.importing.extracted_images import extracting_to
from grounding_assets.core.importing.folders import read_folder
from grounding_assets.core.importing.gold import read_gold
from grounding_assets.core.importing.options import ImportOptions
from grounding_assets.core.importing.report import ImportReport
from grounding_assets.core.importing.rows import LeftOut, Row, RowMapping
from grounding_assets.core.importing.tables import read_table
from grounding_assets.core.input_forms import Form, recognise, to_be_converted

_FIELDS_SHOWN = 20
_UTF_8_ALONE = (None, Form.JSONL, Form.JSON, Form.COCO)
"""Forms that are always UTF-8; None: not recognised."""
_METADATA = ("metadata.jsonl", "metadata.csv")
"""Of a Hugging Face image folder: what it says goes before files beside the images."""


def import_source(source: Path, output: Path, options: ImportOptions) -> ImportReport:
    """Writes `output`, an input JSONL, of what `source` holds; images of archives go to a folder beside it.

    Raises:
        InputError: the source cannot be read, nothing in it can be used, none of its images is found, or the output
            exists. Nothing is written then.
        RunStopped: the output cannot be written.
    """
    source, form = _form_of(source, options.form)
    if output.exists() and not options.overwrite:
        raise InputError(f"{output} exists: give --overwrite to replace it, or another --output.")
    root = options.image_root or (source if source.is_dir() else source.parent)
    report = ImportReport(form, output, root)
    with ExitStack() as stack:
        stack.enter_context(stopping_if_unwritable(output))
        stream = stack.enter_context(replacing(output))
        rows = _read(stack, source, report, options)
        _write(stream, rows, report, options)
        _require_use(source, report)
    if report.extracted is not None:
        # a source that names its images has none to take out
        report.extracted = report.extracted if report.extracted.exists() else None
        report.image_root = report.extracted or root
    return report


def _form_of(source: Path, given: Form | None) -> tuple[Path, Form]:
    if not source.exists():
        raise InputError(f"There is no {source} to import.")
    try:
        form = given or recognise(source)
        other = to_be_converted(source) if form in _UTF_8_ALONE else ""
    except OSError as error:
        raise InputError(f"Cannot read {source}: {error.strerror}.") from None
    if form is Form.FOLDER:
        metadata = next((source / name for name in _METADATA if (source / name).is_file()), None)
        if metadata is not None:
            return metadata, Form.JSONL if metadata.suffix == ".jsonl" else Form.TABLE
    if other:
        raise InputError(f"{source} is {other}.")
    if form is None:
        raise InputError(
            f"{source} is an input already, or in no form that is known here: say which with --form, one of "
            f"{', '.join(Form)}."
        )
    return source, form


def _read(
    stack: ExitStack, source: Path, report: ImportReport, options: ImportOptions
) -> Iterator[Row | LeftOut]:
    match report.form:
        case Form.TABLE:
            return read_table(source, options)
        case Form.JSONL:
            return read_json_lines(source)
        case Form.JSON:
            return read_json_array(source)
        case Form.COCO:
            return read_coco(source)
        case Form.FOLDER:
            return read_folder(source, options)
        case Form.FLICKR30K | Form.REFCOCO:
            report.gold = report.output.with_name(f"{report.output.stem}.gold.jsonl")
            if report.gold.exists() and not options.overwrite:
                raise InputError(
                    f"{report.gold} exists: give --overwrite to replace it, or another --output."
                )
            return read_gold(report.form, source, stack.enter_context(replacing(report.gold)))
    folder = report.output.with_name(f"{report.output.stem}.images")
    images = stack.enter_context(extracting_to(folder))
    # paths in the source, if there are any, are made absolute
    paths_start, report.image_root = report.image_root.absolute(), images.folder
    report.extracted = folder
    if report.form is Form.TAR:
        return read_archives(source, images, options)
    reader = read_parquet if report.form is Form.PARQUET else read_datasets_folder
    return reader(source, images, paths_start, options)


def _write(
    stream: IO[bytes], rows: Iterator[Row | LeftOut], report: ImportReport, options: ImportOptions
) -> None:
    mapping = RowMapping(options)
    report.used_fields = mapping.used
    for row in rows:
        if isinstance(row, LeftOut):
            report.leave_out(row)
            continue
        report.seen_fields = (
            report.seen_fields or tuple(str(name)[:40] for name in row.fields)[:_FIELDS_SHOWN]
        )
        records = mapping.records(row)
        for record in records:
            if isinstance(record, LeftOut):
                report.leave_out(record)
                continue
            try:
                line = to_json(record)
                if len(line) >= MAX_LINE_BYTES:
                    raise LineError(f"longer than {MAX_LINE_BYTES} bytes")
                # what the input's own reader would reject is left out here, and in its words
                parse_line(line)
            except LineError as error:
                report.leave_out(LeftOut(row.place, str(error)))
            except ValueError:
                report.leave_out(LeftOut(row.place, "holds a number that is not finite"))
            else:
                stream.write(line + b"\n")
                _count(record, report)


def _count(record: dict[str, Any], report: ImportReport) -> None:
    report.written += 1
    report.without_caption += not record["caption"]
    if _exists(report.image_root / record["image_path"]):
        report.images_found += 1
    else:
        report.first_missing = report.first_missing or record["image_path"]


def _exists(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        # a name that no file system takes
        return False


def _require_use(source: Path, report: ImportReport) -> None:
    if not report.written:
        found = "; ".join(report.left_out_words()) or "it is empty"
        fields = ", ".join(report.seen_fields)
        names = (
            f" Its fields are: {fields}; --image-field and --caption-field say which to take."
            if fields
            else ""
        )
        raise InputError(f"Nothing in {source} can be used, so nothing was written: {found}.{names}")
    if not report.images_found:
        raise InputError(
            f"None of the {report.written:,} images is there, so nothing was written; the first would be "
            f"{report.image_root / report.first_missing}. Say with --image-root which folder their paths start from."
        )

"""CSV and TSV as rows; quoting that goes wrong costs the lines it spans, and never joins them into a caption."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from grounding_assets.core.dataset.input_file import MAX_LINE_BYTES, open_input
from grounding_assets.core.errors import InputError
from grounding_assets.core.importing.options import ImportOptions
from grounding_assets.core.importing.rows import LeftOut, Row
from grounding_assets.core.input_forms import DELIMITERS, IMAGE_NAMES, encoding_of, field_of

_RAGGED = "another number of columns than the first line has"
_BROKEN = "broken quotes (--no-quotes takes them as text), or a field that is too long"


def read_table(path: Path, options: ImportOptions) -> Iterator[Row | LeftOut]:
    """The rows under the names of the first line.

    Raises:
        InputError: it cannot be read or decoded, or its first line does not name columns.
    """
    with open_input(path) as raw:
        encoding = options.encoding or encoding_of(raw.peek(4)[:4])  # type: ignore[attr-defined]
        try:
            # the csv module wants line ends as they are
            stream = io.TextIOWrapper(raw, encoding=encoding, newline="")
            yield from _rows(path, stream, options)
        except LookupError:
            raise InputError(f"No encoding is called '{encoding}': try utf-8, utf-16 or cp1252.") from None
        except UnicodeError:
            raise InputError(
                f"{path} is not {encoding}: say what it is with --encoding, such as --encoding cp1252 (Windows) or "
                "utf-16."
            ) from None


def _rows(path: Path, stream: io.TextIOWrapper, options: ImportOptions) -> Iterator[Row | LeftOut]:
    lines = _bounded_lines(stream)
    first = next((line for line in lines if line.strip()), "")
    delimiter, header = _header(path, first, options)
    # a setting of the process; what is longer cannot be a line of the input either
    csv.field_size_limit(MAX_LINE_BYTES)
    quoting = csv.QUOTE_NONE if options.no_quotes else csv.QUOTE_MINIMAL
    reader = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True, quoting=quoting)
    while True:
        before = reader.line_num
        place = f"line {before + 2}"
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield LeftOut(place, _BROKEN, reader.line_num - before)
            continue
        if len(cells) == len(header):
            yield Row(place, {name: cell for name, cell in zip(header, cells, strict=True) if name})
        elif any(cells):
            yield LeftOut(place, _RAGGED)


def _header(path: Path, line: str, options: ImportOptions) -> tuple[str, Sequence[str]]:
    """The delimiter under which the first line names an image, else makes the most columns; the names."""
    usual = (options.image_field.casefold(), *IMAGE_NAMES) if options.image_field else IMAGE_NAMES

    def rank(entry: tuple[str, list[str]]) -> tuple[bool, int]:
        return field_of(entry[1], usual) is not None, len(entry[1])

    delimiter, names = max(((d, _cells(line, d)) for d in DELIMITERS), key=rank)
    if field_of(names, usual) is None:
        shown = ", ".join(name[:40] for name in names[:10])
        raise InputError(
            f"The first line of {path} names no column that holds images, only: {shown}. Say which with --image-field, "
            "and with --caption-field the captions."
        )
    if len({name for name in names if name}) < sum(map(bool, names)):
        raise InputError(f"The first line of {path} names a column twice: rename one.")
    return delimiter, names


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        cells = []
    return [cell.strip() for cell in cells]


def _bounded_lines(stream: io.TextIOWrapper) -> Iterator[str]:
    """Lines, of which one that is too long is cut: the csv module or the check of records refuses it then."""
    limit = 2 * MAX_LINE_BYTES
    while line := stream.readline(limit):
        part = line
        while len(part) == limit and not part.endswith(("\n", "\r")):
            part = stream.readline(limit)
        yield line

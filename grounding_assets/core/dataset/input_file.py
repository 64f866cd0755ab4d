"""The input JSONL: one checked record a line, or the reason why the line is refused.

Not here: which sample a line belongs to (`samples`).
"""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

from grounding_assets.core.errors import InputError
from grounding_assets.core.files import to_json
from grounding_assets.core.input_forms import conversion_advice

MAX_LINE_BYTES = 1 << 20
"""A longer line is refused without being held in memory; a caption with its fields is far below."""
MAX_NESTING = 100
"""Objects and lists within each other; Python's own limit depends on where a record is read and written."""
REJECTED_TEXT_CHARS = 500
CAPTION_FROM_MODEL = "caption_from_model"
"""A line with this set may have an empty caption: step 0 then describes the image first."""
_SURROGATES = re.compile("[\ud800-\udfff]")


class LineError(ValueError):
    """Why a line is refused, in words for `rejected.jsonl`."""


@dataclass(frozen=True, slots=True)
class BoundedLine:
    """A line of a file, or the beginning of one that is too long."""

    number: int
    """From 1."""
    offset: int
    """Byte offset of the line's start."""
    raw: bytes

    @property
    def is_too_long(self) -> bool:
        return len(self.raw) > MAX_LINE_BYTES


@dataclass(frozen=True, slots=True)
class InputLine(BoundedLine):
    """A line that holds a usable record; `raw` is without its end."""

    record: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RejectedLine:
    number: int
    reason: str
    text: str
    """The line's beginning, with undecodable bytes replaced."""

    def to_record(self) -> dict[str, Any]:
        return {"line": self.number, "reason": self.reason, "text": self.text}


def read_input(
    path: Path, *, start_offset: int = 0, end_offset: int | None = None
) -> Iterator[InputLine | RejectedLine]:
    """Streams the lines between two offsets; blank lines, a BOM and CRLF are tolerated.

    `start_offset` must be the beginning of a line, which is then number 1.

    Raises:
        InputError: the file as a whole cannot be read.
    """
    for line in bounded_lines(path, start_offset=start_offset, end_offset=end_offset):
        if line.is_too_long:
            yield RejectedLine(line.number, f"longer than {MAX_LINE_BYTES} bytes", _beginning(line.raw))
            continue
        try:
            yield InputLine(line.number, line.offset, line.raw.strip(), parse_line(line.raw))
        except LineError as error:
            yield RejectedLine(line.number, str(error), _beginning(line.raw))


class UsableLines:
    """The lines of an input that hold a record, up to `end_offset`; the others are counted, and written to `rejected`."""

    def __init__(self, path: Path, rejected: IO[bytes] | None = None, *, end_offset: int | None = None):
        self._path, self._stream, self._end_offset = path, rejected, end_offset
        self.rejected = 0
        self._first_reason = ""

    def __iter__(self) -> Iterator[InputLine]:
        for line in read_input(self._path, end_offset=self._end_offset):
            if isinstance(line, InputLine):
                yield line
                continue
            self.rejected += 1
            self._first_reason = self._first_reason or f" Line {line.number}: {line.reason}."
            if self._stream is not None:
                self._stream.write(to_json(line.to_record()) + b"\n")

    def nothing_usable(self) -> InputError:
        """What to raise where there was none."""
        if not self.rejected:
            return InputError(
                f"No input records at {self._path}. The file is empty or holds only blank lines. Put image_path and "
                "caption on each line."
            )
        return InputError(
            f"No input records at {self._path}: {self.rejected} lines were rejected.{self._first_reason}"
            f"{conversion_advice(self._path)}"
        )


def bounded_lines(
    path: Path, *, start_offset: int = 0, end_offset: int | None = None
) -> Iterator[BoundedLine]:
    """The lines of a text file that are not blank, without a BOM.

    Raises:
        InputError: the file cannot be read.
    """
    with open_input(path) as stream:
        number, offset = 0, stream.seek(start_offset)
        while end_offset is None or offset < end_offset:
            try:
                raw, consumed = _read_bounded_line(stream)
            except OSError as error:
                raise InputError(f"Cannot read the input {path}: {error.strerror}.") from None
            if not consumed:
                return
            number += 1
            start, offset = offset, offset + consumed
            if number == 1:
                raw = raw.removeprefix(b"\xef\xbb\xbf")
            if raw.strip():
                yield BoundedLine(number, start, raw)


def open_input(path: Path) -> BinaryIO:
    try:
        # asked before it is opened: a pipe would be waited for
        if path.exists() and not path.is_file():
            raise InputError(
                f"The input {path} is not a regular file; set image_grounding.data.input_jsonl."
                f"{conversion_advice(path)}"
            )
        return path.open("rb")
    except FileNotFoundError:
        raise InputError(
            f"No input records at {path}: there is no such file. Set image_grounding.data.input_jsonl "
            "to a JSONL file with image_path and caption on each line."
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"Cannot read the input {path}: {reason}.") from None


def _read_bounded_line(stream: BinaryIO) -> tuple[bytes, int]:
    """(line, bytes consumed); of a line that is too long, the first `MAX_LINE_BYTES` + 1 bytes."""
    line = part = stream.readline(MAX_LINE_BYTES + 1)
    consumed = len(line)
    if consumed > MAX_LINE_BYTES:
        while part and not part.endswith(b"\n"):
            part = stream.readline(MAX_LINE_BYTES)
            consumed += len(part)
    return line, consumed


def _beginning(raw: bytes) -> str:
    # a character has at most 4 bytes
    text = raw[: 4 * REJECTED_TEXT_CHARS].decode("utf-8", "replace")
    return text.rstrip("\r\n")[:REJECTED_TEXT_CHARS]


def parse_line(raw: bytes) -> dict[str, Any]:
    """The record of one line, with the fields that the pipeline reads checked.

    Raises:
        LineError: not UTF-8, not a JSON object, a field missing or of the wrong type.
    """
    record = _decoded(raw)
    if "caption" not in record and isinstance(record.get("expressions"), list):
        record["caption"] = _caption_of_expressions(record)
    for name in ("image_path", "caption"):
        _check_text(record, name)
    if "\0" in record["image_path"]:
        raise LineError("image_path holds a NUL character")
    image_id = record.get("image_id")
    if image_id is not None and (isinstance(image_id, bool) or not isinstance(image_id, (str, int))):
        raise LineError(f"image_id must be a string or an integer, not {_json_type(image_id)}")
    for name in ("width", "height"):
        _check_pixels(record, name)
    return record


def _decoded(raw: bytes) -> dict[str, Any]:
    """The JSON object of a line; raises LineError for anything else, and for what no file can store again."""
    try:
        record = _DECODER.decode(raw.decode("utf-8").strip())
    except UnicodeDecodeError as error:
        raise LineError(f"not UTF-8 (byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise LineError(f"not JSON: {error.msg} at column {error.colno}") from None
    except RecursionError:
        raise LineError(f"nested more than {MAX_NESTING} levels deep") from None
    except ValueError as error:
        # LineError of the two hooks, or an integer with more digits than Python converts
        raise LineError(str(error).split(";", 1)[0]) from None
    if not isinstance(record, dict):
        raise LineError("not a JSON object")
    if raw.count(b"[") + raw.count(b"{") > MAX_NESTING and _is_nested_deeper(record, MAX_NESTING):
        raise LineError(f"nested more than {MAX_NESTING} levels deep")
    if b"\\u" in raw and _SURROGATES.search(json.dumps(record, ensure_ascii=False)):
        raise LineError("holds half of a surrogate pair, which no file can store")
    return record


def _check_text(record: dict[str, Any], name: str) -> None:
    if name not in record:
        raise LineError(f"{name} is missing")
    if not isinstance(record[name], str):
        raise LineError(f"{name} must be a string, not {_json_type(record[name])}")
    if not record[name].strip() and not (name == "caption" and record.get(CAPTION_FROM_MODEL) is True):
        raise LineError(f"{name} is empty")


def _caption_of_expressions(record: dict[str, Any]) -> Any:
    """Of a record that has nothing but expressions, which TAO's step 1 takes: its cleaned caption, or their texts in a row."""
    if record.get("cleaned_caption"):
        return record["cleaned_caption"]
    texts = [row.get("text") for row in record["expressions"] if isinstance(row, dict)]
    return ", ".join(text for text in texts if isinstance(text, str))


def _is_nested_deeper(record: dict[str, Any], limit: int) -> bool:
    level: list[Any] = [record]
    for _ in range(limit):
        children = (child for node in level for child in (node.values() if isinstance(node, dict) else node))
        level = [child for child in children if isinstance(child, (dict, list))]
    return bool(level)


def declared_size(record: dict[str, Any]) -> tuple[int, int] | None:
    """(width, height) in pixels if the record gives both."""
    width, height = record.get("width"), record.get("height")
    return None if width is None or height is None else (int(width), int(height))


def _check_pixels(record: dict[str, Any], name: str) -> None:
    pixels = record.get(name)
    if pixels is None:
        return
    if isinstance(pixels, bool) or not isinstance(pixels, (int, float)):
        raise LineError(f"{name} must be a number of pixels, not {_json_type(pixels)}")
    if pixels != int(pixels) or not 0 < pixels < 1 << 31:
        raise LineError(f"{name} must be a whole number of pixels above 0")


def _refuse_constant(name: str) -> Any:
    raise LineError(f"holds {name}, which is not JSON")


def _finite_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise LineError(f"holds the number {text[:20]}, which is out of range")
    return number


def _json_type(value: object) -> str:
    names = {
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "a string",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), "null")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite_float)

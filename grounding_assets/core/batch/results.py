"""A result file: lines in any order, twice, missing, or of somebody else."""

import json
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grounding_assets.core.batch.job import ERRORS, OUTPUT

_NEVER_RUN = frozenset({"batch_expired", "batch_cancelled", "batch_canceled", "request_expired"})
"""Codes of lines that stand for a request which was not tried and is not paid for."""
_NO_STATUS = 500
_LONGEST_LINE = 32 << 20
"""Bytes of a line that is read, as of any reply."""


@dataclass(frozen=True, slots=True)
class ResultLine:
    """What came of one request."""

    key: str
    status: int
    """Of HTTP; 0 for a request that was never run."""
    body: Any
    """The reply's document, or that of an error."""


def openai_line(row: Mapping[str, Any]) -> ResultLine | None:
    """A line of OpenAI's form; None for what is none."""
    key, response, error = row.get("custom_id"), row.get("response"), row.get("error")
    if not isinstance(key, str):
        return None
    if isinstance(error, dict) and error:
        never = str(error.get("code")) in _NEVER_RUN
        return ResultLine(key, 0 if never else _NO_STATUS, {"error": error})
    if not isinstance(response, dict):
        return ResultLine(
            key, _NO_STATUS, {"error": {"message": "The line holds neither response nor error."}}
        )
    status = response.get("status_code")
    return ResultLine(key, status if type(status) is int else _NO_STATUS, response.get("body"))


_HTTP_OF_RPC = {3: 400, 4: 504, 5: 404, 7: 403, 8: 429, 13: 500, 14: 503, 16: 401, 1: 0}
"""Codes of gRPC, which errors of Gemini's result files have, as statuses of HTTP; cancelled ones were never run."""


def gemini_line(row: Mapping[str, Any]) -> ResultLine | None:
    """A line of Gemini's form; None for what is none."""
    key, error = row.get("key"), row.get("error")
    if not isinstance(key, str):
        return None
    if isinstance(error, dict) and error:
        code = error.get("code")
        known = code if type(code) is int else 13
        return ResultLine(
            key, known if known >= 400 else _HTTP_OF_RPC.get(known, _NO_STATUS), {"error": error}
        )
    return ResultLine(key, 200, row.get("response"))


READERS = {"openai": openai_line, "file": openai_line, "gemini": gemini_line}


@dataclass(slots=True)
class LinePlace:
    """Where a result line stands."""

    file: Path
    service: str
    offset: int
    length: int
    succeeded: bool
    never_run: bool


def index_lines(
    folder: Path, service: str, keys: Container[str]
) -> tuple[dict[str, LinePlace], dict[str, int]]:
    """Reads the result files of a job's folder.

    Returns:
        Where the line of each of the job's keys stands, a reply going before an error, and how many lines were of no
        use: `twice`, `foreign` (no key of this job), `unreadable`.
    """
    found: dict[str, LinePlace] = {}
    odd = {"twice": 0, "foreign": 0, "unreadable": 0}
    for file, offset, line in _lines(folder):
        result = _parsed(line, service)
        if result is None:
            odd["unreadable"] += 1
            continue
        if result.key not in keys:
            odd["foreign"] += 1
            continue
        before = found.get(result.key)
        odd["twice"] += before is not None
        succeeded = 200 <= result.status < 300
        if before is None or (succeeded and not before.succeeded):
            found[result.key] = LinePlace(file, service, offset, len(line), succeeded, result.status == 0)
    return found, odd


def read_line(place: LinePlace) -> ResultLine:
    """The line that was indexed."""
    with place.file.open("rb") as stream:
        stream.seek(place.offset)
        result = _parsed(stream.read(place.length), place.service)
    if result is None:
        raise ValueError(f"{place.file} was changed")
    return result


def _parsed(line: bytes, service: str) -> ResultLine | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return READERS[service](row) if isinstance(row, dict) else None


def _lines(folder: Path) -> Iterator[tuple[Path, int, bytes]]:
    for file in filter(Path.exists, (folder / OUTPUT, folder / ERRORS)):
        offset = 0
        with file.open("rb") as stream:
            # a longer one comes in pieces, none of which is JSON
            while line := stream.readline(_LONGEST_LINE):
                if line.strip():
                    yield file, offset, line
                offset += len(line)

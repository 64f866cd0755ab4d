"""Reading big JSON documents one array element at a time, so that COCO's need not fit into memory."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from grounding_assets.core.errors import InputError

_CHUNK = 1 << 20
_START = object()


def elements(path: Path, name: str) -> Iterator[dict[str, Any]]:
    """The objects of an array; see `values`.

    Raises:
        InputError: as `values`, or the array holds something else.
    """
    for element in values(path, name):
        if not isinstance(element, dict):
            what = f"'{name}'" if name else "the array"
            raise InputError(
                f"{path} is not of the expected form: {what} holds something other than objects."
            )
        yield element


def values(path: Path, name: str) -> Iterator[Any]:
    """The elements of the array that stands under `name` at the top of a document; "" is a document that is an array.

    Memory is bounded by the largest single element, or by the largest top-level value that is no array.

    Raises:
        InputError: the file cannot be read, is no such document, or has no array of that name.
    """
    found = False
    try:
        with path.open(encoding="utf-8-sig") as stream:
            for key, element in _Reader(stream).array_elements(whole=not name):
                found = found or key == name
                if key == name and element is not _START:
                    yield element
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not a JSON document of the expected form: {error}.") from None
    if not found:
        raise InputError(
            f"{path} has no array '{name}': is it the right file?" if name else f"{path} is no JSON array."
        )


class _Reader:
    """A window over the text, moved on as values are read."""

    def __init__(self, stream: IO[str]):
        self._stream = stream
        self._decoder = json.JSONDecoder()
        self._text = ""
        self._position = 0

    def array_elements(self, *, whole: bool) -> Iterator[tuple[str, Any]]:
        """(key, element) of every top-level array, and (key, _START) at each array's start.

        `whole`: the document itself is the array; its key is "".
        """
        if whole:
            yield from self._array("")
            return
        self._expect("{")
        if self._peek() == "}":
            return
        while True:
            key = self._value()
            self._expect(":")
            if self._peek() == "[":
                yield from self._array(key)
            else:
                self._value()
            if self._peek() != ",":
                break
            self._position += 1
        self._expect("}")

    def _array(self, key: str) -> Iterator[tuple[str, Any]]:
        yield key, _START
        self._expect("[")
        while self._peek() != "]":
            yield key, self._value()
            if self._peek() == ",":
                self._position += 1
        self._position += 1

    def _expect(self, character: str) -> None:
        if self._peek() != character:
            raise ValueError(f"'{character}' expected, '{self._peek()}' found")
        self._position += 1

    def _peek(self) -> str:
        """The next character that is no white space; empty at the end."""
        while True:
            while self._position < len(self._text):
                if not self._text[self._position].isspace():
                    return self._text[self._position]
                self._position += 1
            if not self._read_on(_CHUNK):
                return ""

    def _value(self) -> Any:
        self._peek()
        wanted = _CHUNK
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._position)
            except json.JSONDecodeError:
                # perhaps cut off: read twice as much each time, so that the work stays linear
                if not self._read_on(wanted):
                    raise
                wanted *= 2
                continue
            if end == len(self._text) and self._read_on(_CHUNK):
                continue
            self._position = end
            return value

    def _read_on(self, characters: int) -> bool:
        """Lengthens the window behind the position; False at the end of the file."""
        more = self._stream.read(characters)
        self._text = self._text[self._position :] + more
        self._position = 0
        return bool(more)

"""A chat completion that came as an event stream, though none was asked for: some gateways always stream."""

import json
import re
from codecs import BOM_UTF8
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from resources.vlm.untyped import as_dict, dicts_in

_BEGINS = re.compile(rb"(?::[^\n]*\n\s*+)*+(?:data|event|id|retry):")
"""A field, after comments and blank lines."""
_LINE_ENDS = re.compile(r"\r\n|\n|\r")
"""Those of an event stream; other marks that end lines may stand in JSON as they are."""


def is_event_stream(body: bytes) -> bool:
    return _BEGINS.match(body.removeprefix(BOM_UTF8).lstrip()) is not None


def chat_completion(body: bytes) -> dict[str, Any]:
    """The document that the chunks of a stream amount to; without `choices` if the stream has none, or was cut off.

    Raises:
        ValueError: a chunk is not JSON.

    >>> chunk = b'data: {"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}]}'
    >>> chat_completion(chunk + b"\\n\\ndata: [DONE]")["choices"][0]["message"]["content"]
    'a'
    """
    said: defaultdict[str, list[Any]] = defaultdict(list)
    whole: dict[str, Any] | None = None
    finish: Any = None
    document: dict[str, Any] = {}
    for chunk in _chunks(body):
        document |= {name: chunk[name] for name in ("usage", "model", "error") if chunk.get(name)}
        for choice in dicts_in(chunk.get("choices"))[:1]:
            if choice.get("index", 0) != 0:
                continue
            finish = choice.get("finish_reason") or finish
            whole = as_dict(choice.get("message")) or whole
            for name, part in as_dict(choice.get("delta")).items():
                if name == "content" and isinstance(part, list | dict):
                    said[name] += part if isinstance(part, list) else [part]
                elif isinstance(part, str) and name != "role":
                    said[name].append(part)
    if finish is None:
        return document
    message = whole or {name: _joined(parts) for name, parts in said.items()}
    return {**document, "choices": [{"index": 0, "message": message, "finish_reason": finish}]}


def _joined(parts: list[Any]) -> str | list[Any]:
    """The text, or the parts where one of them is more than text."""
    return "".join(parts) if all(isinstance(part, str) for part in parts) else parts


def _chunks(body: bytes) -> Iterator[dict[str, Any]]:
    for line in _LINE_ENDS.split(body.decode("utf-8-sig").lstrip()):
        name, colon, value = line.partition(":")
        if name == "data" and colon and value.strip() != "[DONE]":
            yield from dicts_in([json.loads(value)])

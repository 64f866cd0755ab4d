"""A chat completion that came as an event stream, though none was asked for: some gateways always stream."""

import json
import re
from collections.abc import Iterator
from typing import Any

_BEGINS = re.compile(rb"(?:\s|:[^\n]*\n)*(?:data|event|id|retry):")
"""A field, after blank lines and comments."""


def is_event_stream(body: bytes) -> bool:
    return _BEGINS.match(body) is not None


def chat_completion(body: bytes) -> dict[str, Any]:
    """The document that the chunks of a stream amount to; without `choices` if the stream has none, or was cut off.

    Raises:
        ValueError: a chunk is not JSON.

    >>> chunk = b'data: {"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}]}'
    >>> chat_completion(chunk + b"\\n\\ndata: [DONE]")["choices"][0]["message"]["content"]
    'a'
    """
    message: dict[str, str] = {}
    finish: Any = None
    document: dict[str, Any] = {}
    for chunk in _chunks(body):
        document |= {name: chunk[name] for name in ("usage", "model", "error") if chunk.get(name)}
        for choice in _dicts(chunk.get("choices"))[:1]:
            if choice.get("index", 0) != 0:
                continue
            finish = choice.get("finish_reason") or finish
            for delta in _dicts([choice.get("delta")]):
                for name, text in delta.items():
                    if isinstance(text, str) and name != "role":
                        message[name] = message.get(name, "") + text
    if finish is None:
        return document
    return {**document, "choices": [{"index": 0, "message": message, "finish_reason": finish}]}


def _chunks(body: bytes) -> Iterator[dict[str, Any]]:
    for line in body.decode("utf-8").splitlines():
        name, colon, value = line.partition(":")
        if name == "data" and colon and value.strip() != "[DONE]":
            yield from _dicts([json.loads(value)])


def _dicts(values: Any) -> list[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []

"""Plays `vllm run-batch`: each line of a request file is put to an endpoint, and a result file is written at the end.

The forms are those of vLLM's `BatchRequestInput` and `BatchRequestOutput` (vllm/entrypoints/openai/run_batch.py).
"""

import json
import urllib.request
from pathlib import Path
from typing import Any, Literal

from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from pydantic import BaseModel, ConfigDict, TypeAdapter


class BatchRequestInput(BaseModel):
    """A line of a request file, as vLLM documents it."""

    model_config = ConfigDict(extra="forbid")

    custom_id: str
    method: Literal["POST"]
    url: Literal["/v1/chat/completions"]
    body: dict[str, Any]


_BODY: TypeAdapter[Any] = TypeAdapter(CompletionCreateParamsNonStreaming)


def run_batch(requests: Path, results: Path, url: str, most: int | None = None) -> int:
    """Runs the first `most` requests, all by default; returns how many. Raises ValidationError for another form."""
    lines = []
    for number, line in enumerate(requests.read_bytes().splitlines()[:most]):
        row = BatchRequestInput.model_validate_json(line)
        _BODY.validate_python(row.body)
        asked = urllib.request.Request(
            url + row.url, json.dumps(row.body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(asked) as reply:
            response = {"status_code": reply.status, "request_id": f"{number}", "body": json.load(reply)}
        lines.append(
            {"id": f"vllm-{number}", "custom_id": row.custom_id, "response": response, "error": None}
        )
    results.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return len(lines)

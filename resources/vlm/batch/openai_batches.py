"""Batches in OpenAI's form: `/files` and `/batches`, as OpenAI, Azure, Groq, Together and LiteLLM's proxy have them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import openai
from openai import DefaultHttpxClient, OpenAI
from openai.types import Batch

from grounding_assets.core.batch.service import JobState, service_error
from grounding_assets.core.files import replacing
from resources.vlm.keys import Scrubber, header_key

MARK = "grounding_batch"
"""Our entry in a job's metadata."""
_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_NOT_RUN = frozenset({"failed", "expired", "cancelled"})
_QUOTA = "token_limit_exceeded"
_TIMEOUT_S = 600.0
_CLOCKS_S = 3600.0
"""How much two clocks may differ."""


def chat_line_start(key: str) -> bytes:
    """Of a line that holds a chat completion."""
    return f'{{"custom_id": "{key}", "method": "POST", "url": "/v1/chat/completions", "body": '.encode()


class OpenAiBatches:
    """See `core.batch.service.BatchService`."""

    name = "openai"
    max_requests = 50_000
    max_bytes = 200_000_000

    def __init__(self, *, base_url: str, api_key: str, setting: str):
        """`setting`, such as `image_grounding.vlm.openai`, is for messages."""
        api_key = header_key(api_key, f"{setting}.api_key or OPENAI_API_KEY")
        self._scrub, self._setting = Scrubber(api_key), setting
        self._sdk = OpenAI(
            base_url=base_url or None,
            api_key=api_key or "EMPTY",
            timeout=_TIMEOUT_S,
            # neither key nor pictures go to another address than the one that was named
            http_client=DefaultHttpxClient(follow_redirects=False),
        )
        self._where = base_url or str(self._sdk.base_url).rstrip("/")
        self._once = self._sdk.with_options(max_retries=0)

    def line_start(self, key: str) -> bytes:
        return chat_line_start(key)

    def upload(self, file: Path, our_id: str) -> str:
        with file.open("rb") as stream:
            named = (f"{our_id}.jsonl", stream, "application/jsonl")
            with self._classified():
                return self._sdk.files.create(file=named, purpose="batch").id

    def create(self, file_id: str, our_id: str) -> str:
        with self._classified():
            # the SDK's own retries would submit it twice
            batch = self._once.batches.create(
                input_file_id=file_id,
                endpoint="/v1/chat/completions",
                completion_window="24h",
                metadata={MARK: our_id},
            )
            return batch.id

    def find(self, file_id: str, our_id: str, since: float) -> str | None:
        with self._classified():
            for batch in self._sdk.batches.list(limit=100):
                # not every proxy gives metadata back, and a file is ours alone
                if batch.input_file_id == file_id or (batch.metadata or {}).get(MARK) == our_id:
                    return batch.id
                if batch.created_at < since - _CLOCKS_S:
                    break
        return None

    def look(self, job_id: str) -> JobState:
        with self._classified():
            return _state(self._sdk.batches.retrieve(job_id))

    def download(self, result: str, target: Path) -> None:
        with (
            self._classified(),
            self._sdk.files.with_streaming_response.content(result) as response,
            replacing(target) as stream,
        ):
            for chunk in response.iter_bytes():
                stream.write(chunk)

    def cancel(self, job_id: str) -> None:
        with self._classified():
            self._sdk.batches.cancel(job_id)

    def close(self) -> None:
        self._sdk.close()

    @contextmanager
    def _classified(self) -> Iterator[None]:
        try:
            yield
        except (openai.APIError, OSError) as error:
            status = error.status_code if isinstance(error, openai.APIStatusError) else None
            words = self._scrub(" ".join(str(error).split()))[:300]
            raise service_error(self._where, self._setting, words, status) from None


def _state(batch: Batch) -> JobState:
    counts, errors = batch.request_counts, (batch.errors.data or []) if batch.errors else []
    problems = [f"{error.code}: {error.message}" for error in errors[:3]]
    return JobState(
        batch.status,
        ended=batch.status in _ENDED,
        ran_to_the_end=batch.status not in _NOT_RUN,
        completed=counts.completed if counts else 0,
        failed=counts.failed if counts else 0,
        results=tuple(name for name in (batch.output_file_id, batch.error_file_id) if name),
        problem="; ".join(problems)[:300] if batch.status == "failed" else "",
        may_fit_later=any(error.code == _QUOTA for error in errors),
    )

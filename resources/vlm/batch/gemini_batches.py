"""Gemini's batch jobs, by the Files API: inline requests of this size have been seen to succeed and be impossible to fetch."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
from google import genai
from google.genai import errors, types

from grounding_assets.core.batch.service import JobState, service_error
from grounding_assets.core.files import replacing
from resources.vlm.gemini import VERSION
from resources.vlm.keys import Scrubber, header_key

_ENDED = frozenset({"SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED", "PARTIALLY_SUCCEEDED"})
_RAN = frozenset({"SUCCEEDED", "PARTIALLY_SUCCEEDED"})
_TIMEOUT_MS = 600_000
_CLOCKS_S = 3600.0
"""How much two clocks may differ."""


class GeminiBatches:
    """See `core.batch.service.BatchService`."""

    name = "gemini"
    max_requests = 1_000_000
    max_bytes = 2_000_000_000

    def __init__(self, *, base_url: str, api_key: str, model: str, setting: str):
        """`setting`, such as `image_grounding.vlm.gemini`, is for messages."""
        api_key = header_key(api_key, f"{setting}.api_key or GOOGLE_API_KEY")
        self._scrub, self._setting, self._model = Scrubber(api_key), setting, model
        self._where = base_url or "the Gemini API"
        self._sdk = genai.Client(
            vertexai=False,
            api_key=api_key,
            http_options=types.HttpOptions(
                base_url=base_url or None,
                api_version=VERSION,
                timeout=_TIMEOUT_MS,
                # a job must never be submitted twice
                retry_options=types.HttpRetryOptions(attempts=1),
                # neither key nor pictures go to another address than the one that was named
                client_args={"follow_redirects": False},
            ),
        )

    def line_start(self, key: str) -> bytes:
        return f'{{"key": "{key}", "request": '.encode()

    def upload(self, file: Path, our_id: str) -> str:
        config = types.UploadFileConfig(display_name=our_id, mime_type="application/jsonl")
        with self._classified():
            return self._sdk.files.upload(file=str(file), config=config).name or ""

    def create(self, file_id: str, our_id: str) -> str:
        config = types.CreateBatchJobConfig(display_name=our_id)
        with self._classified():
            return self._sdk.batches.create(model=self._model, src=file_id, config=config).name or ""

    def find(self, file_id: str, our_id: str, since: float) -> str | None:
        with self._classified():
            for job in self._sdk.batches.list(config=types.ListBatchJobsConfig(page_size=100)):
                if job.display_name == our_id:
                    return job.name
                if job.create_time is not None and job.create_time.timestamp() < since - _CLOCKS_S:
                    break
        return None

    def look(self, job_id: str) -> JobState:
        with self._classified():
            job = self._sdk.batches.get(name=job_id)
        state = (job.state.name if job.state else "").removeprefix("JOB_STATE_")
        result = job.dest.file_name if job.dest else None
        error = self._scrub(str(job.error.message))[:300] if job.error else ""
        return JobState(
            state,
            ended=state in _ENDED,
            ran_to_the_end=state in _RAN,
            results=(result,) if result else (),
            problem=error or ("The endpoint does not say why." if state == "FAILED" else ""),
        )

    def download(self, result: str, target: Path) -> None:
        with self._classified(), replacing(target) as stream:
            self._sdk.files.download(file=result, destination=stream)  # pyright: ignore[reportArgumentType, reportCallIssue]

    def cancel(self, job_id: str) -> None:
        with self._classified():
            self._sdk.batches.cancel(name=job_id)

    def close(self) -> None:
        self._sdk.close()

    @contextmanager
    def _classified(self) -> Iterator[None]:
        try:
            yield
        # the SDK raises KeyError and ValueError for an upload that goes wrong
        except (errors.APIError, httpx2.HTTPError, KeyError, ValueError, OSError) as error:
            status = error.code if isinstance(error, errors.APIError) else None
            words = self._scrub(" ".join(str(error).split()))[:300]
            raise service_error(self._where, self._setting, words, status) from None

"""Batches without an endpoint: request files are written, and result files of `vllm run-batch` are read.

`vllm run-batch -i requests.jsonl -o results.jsonl --model NAME` in the job's folder, on any machine.
"""

import shutil
from pathlib import Path

from grounding_assets.core.batch.job import RESULTS
from grounding_assets.core.batch.service import JobState
from grounding_assets.core.files import replacing
from resources.vlm.batch.openai_batches import chat_line_start

_BLOCK = 1 << 20


class FileBatches:
    """See `core.batch.service.BatchService`. Submitting costs nothing here, so it may be done twice."""

    name = "file"
    max_requests = 1_000_000
    max_bytes = 1 << 40

    def line_start(self, key: str) -> bytes:
        return chat_line_start(key)

    def upload(self, file: Path, our_id: str) -> str:
        return str(file)

    def create(self, file_id: str, our_id: str) -> str:
        return file_id

    def find(self, file_id: str, our_id: str, since: float) -> str | None:
        return file_id

    def look(self, job_id: str) -> JobState:
        """It has ended once there is a result for each request: a file may still be on its way here."""
        requests = Path(job_id)
        results = requests.with_name(RESULTS)
        if not results.exists():
            return JobState("waits for results.jsonl")
        done, asked = _lines(results), _lines(requests)
        return JobState(
            "completed" if done >= asked else f"results.jsonl has {done:,} of {asked:,} lines",
            ended=done >= asked,
            completed=done,
            results=(str(results),),
        )

    def download(self, result: str, target: Path) -> None:
        with Path(result).open("rb") as source, replacing(target) as stream:
            shutil.copyfileobj(source, stream)

    def cancel(self, job_id: str) -> None: ...

    def close(self) -> None: ...


def _lines(file: Path) -> int:
    """Whole lines."""
    with file.open("rb") as stream:
        return sum(block.count(b"\n") for block in iter(lambda: stream.read(_BLOCK), b""))

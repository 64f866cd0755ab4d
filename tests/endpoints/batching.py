"""Batch jobs of a simulated endpoint: files, jobs with states, and their results, over real HTTP.

Written from the makers' documents: OpenAI's API reference (files, batch) and Gemini's (files, batches). Each line of a
job is put to the endpoint's own generation route, so it is answered, recorded and made to fail like any other request.
Here: jobs and what befalls them. Not here: how either maker words it (`openai_batching.py`, `gemini_batching.py`).
"""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import aiohttp

_AT_ONCE = 4


@dataclass
class BatchPlan:
    """What befalls jobs; assign to its fields while the endpoint runs. Counts are of lines, from the first on."""

    delay_s: float = 0.0
    """From a job's creation to its end."""
    ends: Literal["completed", "expired", "cancelled", "failed"] = "completed"
    done_share: float = 1.0
    """Share of the requests that were run before the job ended; the others are in the error file, where there is one."""
    shuffled: bool = True
    twice: int = 0
    missing: int = 0
    foreign: int = 0
    failing: int = 0
    """Lines that end with 500 without being run."""
    max_requests: int = 50_000
    max_bytes: int = 200_000_000
    max_enqueued_requests: int = 0
    """Jobs beyond fail as OpenAI's do for too many enqueued tokens; 0: no limit."""
    forgets_jobs: bool = False
    loses_files: bool = False
    create_breaks: Literal["", "before", "after"] = ""
    """The connection breaks before or after the job is created, this many times:"""
    breaks: int = 0
    page: int = 100
    """Jobs on one page of the list."""


@dataclass
class SimulatedJob:
    name: str
    file: str
    mark: Mapping[str, str]
    """What the client marked it with."""
    made_at: float
    status: str = "validating"
    total: int = 0
    completed: int = 0
    failed: int = 0
    results: list[str] = field(default_factory=list)
    problem: tuple[str, str] | None = None
    cancelled: bool = False

    @property
    def ended(self) -> bool:
        return self.status in ("completed", "expired", "cancelled", "failed")


class Wording(Protocol):
    """How a maker writes the lines of request and result files."""

    def request(self, row: Mapping[str, Any]) -> tuple[str, str, Any]:
        """(key, path, body) of a request line; raises KeyError or TypeError."""
        ...

    def answer(self, key: str, status: int, body: Any) -> dict[str, Any]: ...
    def not_run(self, key: str, code: str) -> dict[str, Any]: ...

    separate_errors: bool
    """Whether errors come in a file of their own."""


class SimulatedBatches:
    """The files and jobs of one endpoint."""

    def __init__(self, plan: BatchPlan, wording: Wording, prefix: str):
        self.plan, self.wording, self.prefix = plan, wording, prefix
        self.files: dict[str, bytes] = {}
        self.jobs: dict[str, SimulatedJob] = {}
        self.run: Counter[str] = Counter()
        """How often each request was run, and paid for, by its key."""
        self.url = ""
        self.headers: dict[str, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def add_file(self, content: bytes) -> str:
        name = f"{self.prefix}{len(self.files) + 1}"
        self.files[name] = content
        return name

    def create(self, file: str, mark: Mapping[str, str]) -> SimulatedJob:
        job = SimulatedJob(f"batch_{len(self.jobs) + 1}", file, mark, time.time())
        self.jobs[job.name] = job
        task = asyncio.create_task(self._work(job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job

    def breaks_now(self, when: str) -> bool:
        if self.plan.create_breaks != when or self.plan.breaks <= 0:
            return False
        self.plan.breaks -= 1
        return True

    async def _work(self, job: SimulatedJob) -> None:
        plan = self.plan
        content = self.files[job.file]
        lines = [line for line in content.splitlines() if line.strip()]
        waiting = sum(other.total for other in self.jobs.values() if not other.ended and other is not job)
        job.total = len(lines)
        if len(lines) > plan.max_requests or len(content) > plan.max_bytes:
            job.status, job.problem = "failed", ("invalid_request", "The file is too large.")
            return
        if plan.max_enqueued_requests and waiting + len(lines) > plan.max_enqueued_requests:
            job.status, job.problem = "failed", ("token_limit_exceeded", "Enqueued token limit reached.")
            return
        if plan.ends == "failed":
            job.status, job.problem = "failed", ("invalid_json_line", "Line 1 cannot be read.")
            return
        job.status = "in_progress"
        ends = plan.ends
        if plan.delay_s:
            await asyncio.sleep(plan.delay_s)
        if job.cancelled:
            ends = "cancelled"
        requests = [self.wording.request(json.loads(line)) for line in lines]
        count = 0 if job.cancelled else round(len(requests) * plan.done_share)
        answers = await self._answers(job, requests[:count])
        code = "batch_cancelled" if ends == "cancelled" else "batch_expired"
        errors = [self.wording.not_run(key, code) for key, _, _ in requests[count:]]
        self._write(job, answers, errors)
        job.status = ends

    async def _answers(
        self, job: SimulatedJob, requests: list[tuple[str, str, Any]]
    ) -> list[tuple[int, dict[str, Any]]]:
        room = asyncio.Semaphore(_AT_ONCE)
        async with aiohttp.ClientSession(headers=self.headers) as session:

            async def one(number: int, key: str, path: str, body: Any) -> tuple[int, dict[str, Any]]:
                if number < self.plan.failing:
                    job.failed += 1
                    error = {"error": {"message": "An internal error has occurred.", "code": 500}}
                    return 500, self.wording.answer(key, 500, error)
                self.run[key] += 1
                async with room, session.post(self.url + path, json=body) as response:
                    document = await response.json(content_type=None)
                    job.completed += response.status == 200
                    job.failed += response.status != 200
                    return response.status, self.wording.answer(key, response.status, document)

            return await asyncio.gather(*(one(n, *request) for n, request in enumerate(requests)))

    def _write(
        self, job: SimulatedJob, answers: list[tuple[int, dict[str, Any]]], errors: list[dict[str, Any]]
    ) -> None:
        plan, order = self.plan, random.Random(job.name)
        good = [line for status, line in answers if status == 200 or not self.wording.separate_errors]
        bad = [line for status, line in answers if status != 200 and self.wording.separate_errors]
        good = good[plan.missing :]
        good += good[: plan.twice]
        good += [self.wording.answer(f"foreign-{n}", 200, {}) for n in range(plan.foreign)]
        if plan.shuffled:
            order.shuffle(good)
        bad += errors
        if not self.wording.separate_errors:
            good, bad = good + bad, []
        for lines in filter(None, (good, bad)):
            job.results.append(self.add_file("".join(json.dumps(line) + "\n" for line in lines).encode()))

"""One job's way to the endpoint and back, written down before and after each thing that may cost money.

Whatever ends the process, the next one goes on from the phase that is on disk: a job that may have been submitted is
looked for by our id before it is submitted again.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any, TypeVar

from grounding_assets.core.batch.job import ERRORS, OUTPUT, REQUESTS, Job, Phase
from grounding_assets.core.batch.journal import Journal
from grounding_assets.core.batch.service import BatchService, Gone, Refused, Unreachable
from grounding_assets.core.errors import RunStopped

_UNDER_WAY_S = 10.0
"""How long a submission that was broken off may still be on its way to the endpoint."""
_LOOK_AGAIN_S = 1.0
_MOST_SUBMISSIONS = 3
T = TypeVar("T")


class Submission:
    """Takes jobs through their phases."""

    def __init__(self, service: BatchService, journal: Journal, notice: Callable[[str], None]):
        self._service, self._journal, self._notice = service, journal, notice

    async def submit(self, job: Job) -> Job:
        """From wherever it is until it is known to be submitted.

        Raises:
            RunStopped: it cannot be for now; the next run goes on with it.
        """
        tries = 0
        while job.phase in (Phase.PREPARED, Phase.CREATING):
            if job.phase is Phase.CREATING:
                found = await self._reached(self._service.find, job.file_id, job.id, job.creating_at)
                if found is not None:
                    return self._submitted(job, found)
                if time.time() - job.creating_at < _UNDER_WAY_S:
                    await asyncio.sleep(_LOOK_AGAIN_S)
                    continue
            if tries == _MOST_SUBMISSIONS:
                raise RunStopped(
                    f"Batch {job.id} could not be submitted {tries} times: {job.problem} Run again later."
                )
            tries += 1
            job = await self._create(job)
        return job

    async def _create(self, job: Job) -> Job:
        service, note = self._service, self._journal.note
        try:
            if not job.file_id:
                file = self._journal.folder_of(job) / REQUESTS
                job = note(job.to(Phase.PREPARED, file_id=await self._reached(service.upload, file, job.id)))
            job = note(job.to(Phase.CREATING, creating_at=time.time()))
            job_id = await asyncio.to_thread(service.create, job.file_id, job.id)
        except (Refused, Gone) as refused:
            # nothing was submitted, and nothing is owed for it
            self._journal.forget(job)
            raise RunStopped(f"The batch of {job.requests:,} requests was not accepted. {refused}") from None
        except Unreachable as error:
            return note(job.to(Phase.CREATING, problem=str(error)))
        return self._submitted(job, job_id)

    def _submitted(self, job: Job, job_id: str) -> Job:
        submitted = job.to(
            Phase.SUBMITTED, job_id=job_id, submitted_at=time.time(), status="submitted", problem=""
        )
        job = self._journal.note(submitted)
        if job.service != "file":
            (self._journal.folder_of(job) / REQUESTS).unlink(missing_ok=True)
        return job

    async def look(self, job: Job) -> Job:
        """Asks how far a submitted job is; fetches its results once it has ended. Returns what is known now."""
        try:
            state = await asyncio.to_thread(self._service.look, job.job_id)
            now = time.time()
            seen: dict[str, Any] = {
                "status": state.status,
                "completed": state.completed,
                "failed": state.failed,
                # of an earlier look
                "problem": "",
            }
            if state.ended:
                seen["ended_at"] = job.ended_at or now
            job = self._journal.note(job.to(job.phase, looked_at=now, **seen))
            if not state.ended:
                return job
            for result, name in zip(state.results, (OUTPUT, ERRORS), strict=False):
                await asyncio.to_thread(self._service.download, result, self._journal.folder_of(job) / name)
        except Unreachable as error:
            self._notice(f"Batch {job.id}: {error}")
            return job
        except (Gone, Refused) as error:
            return self._journal.note(job.to(job.phase, looked_at=time.time(), problem=str(error)))
        return job.to(
            Phase.COLLECTED,
            ran_to_the_end=state.ran_to_the_end,
            problem=state.problem,
            fits_later=state.may_fit_later,
        )

    async def _reached(self, ask: Callable[..., T], *arguments: Any) -> T:
        try:
            return await asyncio.to_thread(ask, *arguments)
        except Unreachable as error:
            raise RunStopped(f"{error} The batch is kept: run again, and it is submitted then.") from None

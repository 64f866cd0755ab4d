"""The seam between batch jobs and whoever runs them: OpenAI's form, Gemini, or a file for a cluster."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from grounding_assets.core.errors import GroundingError


@dataclass(frozen=True, slots=True)
class JobState:
    """What an endpoint tells of a job."""

    status: str
    """The maker's own word."""
    ended: bool = False
    ran_to_the_end: bool = True
    """False for a job that expired, was cancelled or failed: requests without a line were never tried."""
    completed: int = 0
    failed: int = 0
    results: tuple[str, ...] = ()
    """Names of its result files, which `download` takes."""
    problem: str = ""
    """Why it failed as a whole."""
    may_fit_later: bool = False
    """Whether it failed for too many requests waiting, so that it is worth submitting again."""


class Unreachable(GroundingError):
    """The endpoint did not answer, or not to the point: another look may help."""


class Gone(GroundingError):
    """The endpoint knows no such job or file (any more)."""


class Refused(GroundingError):
    """The endpoint refuses what was asked; nothing has come about."""


def service_error(where: str, setting: str, words: str, status: int | None) -> GroundingError:
    """What went wrong for a job, by the HTTP status of the endpoint's answer; None if none came."""
    if status is None:
        return Unreachable(f"Cannot reach {where}: {words}")
    if status == 404:
        return Gone(f"{where} does not know it (404): {words}")
    if status in (401, 403):
        return Refused(f"{where} refuses the API key ({status}): set {setting}.api_key. {words}")
    passing = status in (408, 409, 429) or status >= 500
    return (Unreachable if passing else Refused)(f"{where} answered {status} to a batch: {words}")


class BatchService(Protocol):
    """Blocking: to be called on a thread. All raise `Unreachable`, `Gone` or `Refused`."""

    name: str
    """`openai`, `gemini` or `file`."""
    max_requests: int
    max_bytes: int
    """Of one job's request file."""

    def line_start(self, key: str) -> bytes:
        """What stands before the request's body in its line; `}` follows it."""
        ...

    def upload(self, file: Path, our_id: str) -> str:
        """Makes the file known to the endpoint; returns its name there. Costs nothing."""
        ...

    def create(self, file_id: str, our_id: str) -> str:
        """Submits the job once, marked with our id; returns the endpoint's name for it.

        Raises:
            Refused: it was not created.
            Unreachable: it may have been created.
        """
        ...

    def find(self, file_id: str, our_id: str, since: float) -> str | None:
        """The name of the job with our id that was created after that time (Unix), if there is one."""
        ...

    def look(self, job_id: str) -> JobState: ...

    def download(self, result: str, target: Path) -> None:
        """Writes a result file, whole or not at all."""
        ...

    def cancel(self, job_id: str) -> None: ...

    def close(self) -> None: ...

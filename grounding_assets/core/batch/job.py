"""One batch job as it is written down, before and after each thing that costs money."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from grounding_assets.core.errors import RunStopped
from grounding_assets.core.files import stopping_if_unwritable, sync_folder, to_json, write_whole

JOB = "job.json"
FILES = REQUESTS, KEYS, RESULTS, OUTPUT, ERRORS, USED = tuple(
    f"{name}.jsonl" for name in ("requests", "keys", "results", "output", "errors", "used")
)
"""All that a job's folder holds beside `job.json`."""


class Phase(StrEnum):
    """How far a job is on this side; the maker's own word for its state is `Job.status`."""

    PREPARED = "prepared"
    """Its request file is whole; nothing is submitted."""
    CREATING = "creating"
    """It may have been submitted: only the endpoint knows."""
    SUBMITTED = "submitted"
    COLLECTED = "collected"
    """Its results are here, and some are still to be read."""
    FINISHED = "finished"
    """Nothing is left to do for it."""
    GIVEN_UP = "given up"
    """Its samples are asked again; what it took counts as projected."""

    @property
    def is_open(self) -> bool:
        """Whether its requests are not to be sent again."""
        return self in (Phase.PREPARED, Phase.CREATING, Phase.SUBMITTED)


@dataclass(frozen=True, slots=True)
class Job:
    """Immutable; `save` writes it."""

    id: str
    """16 hexadecimal digits, ours; the endpoint is given it with the job."""
    phase: Phase
    service: str
    """`openai`, `gemini` or `file`."""
    made_with: str
    """Digest of the settings that decide how its replies are to be read."""
    model: str
    base_url: str
    requests: int
    bytes: int
    tokens_in: int
    """Projected, of all requests."""
    tokens_out: int
    prepared_at: float
    """Unix time."""
    file_id: str = ""
    job_id: str = ""
    creating_at: float = 0.0
    submitted_at: float = 0.0
    looked_at: float = 0.0
    status: str = ""
    """The maker's word."""
    completed: int = 0
    """Requests that the endpoint reports to be done."""
    failed: int = 0
    ended_at: float = 0.0
    ran_to_the_end: bool = True
    """Whether a request without a line was tried; not in a job that expired or was cancelled."""
    problem: str = ""
    """What a user should know of it."""
    fits_later: bool = False
    """Whether it failed for too much that waits at the endpoint."""
    figures: Mapping[str, int] = field(default_factory=dict)
    """What its result file held, once it is collected."""

    @property
    def age_s(self) -> float:
        """Since it was submitted, or prepared if it is not."""
        return max(0.0, (self.ended_at or time.time()) - (self.submitted_at or self.prepared_at))

    def to(self, phase: Phase, **changed: Any) -> "Job":
        return replace(self, phase=phase, **changed)


def save(folder: Path, job: Job) -> Job:
    """Writes the job into its folder, durably; returns it.

    Raises:
        RunStopped: it cannot be written, and nothing may be submitted that is not written down.
    """
    with stopping_if_unwritable(folder / JOB):
        write_whole(folder / JOB, to_json(asdict(job)))
        sync_folder(folder)
    return job


def load(folder: Path) -> Job | None:
    """The job of a folder; None if it was never whole.

    Raises:
        RunStopped: the file cannot be read.
    """
    file = folder / JOB
    try:
        row = json.loads(file.read_bytes())
        return Job(**{**row, "phase": Phase(row["phase"])})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RunStopped(
            f"{file} cannot be read ({error}): it says what is submitted and paid for. Restore it, or move the folder "
            "away, and its samples are asked again."
        ) from None

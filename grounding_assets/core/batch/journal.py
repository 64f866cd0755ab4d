"""All batch jobs of a data set: which samples wait for one, and which answers are there.

A job is a folder `batch/<id>/`: `job.json` says how far it is, `keys.jsonl` which requests it holds, `output.jsonl`
and `errors.jsonl` are its results as they came, `used.jsonl` names the answers that became results or failures.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from grounding_assets.core.batch.job import FILES, JOB, KEYS, USED, Job, Phase, load, save
from grounding_assets.core.batch.request_file import remove_job_files
from grounding_assets.core.batch.results import LinePlace, ResultLine, index_lines, read_line
from grounding_assets.core.errors import RunStopped
from grounding_assets.core.files import stopping_if_unwritable, to_json

FOLDER = "batch"
_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(slots=True)
class Answer:
    """What has come of a request so far, over all jobs that it was in."""

    job_id: str
    place: LinePlace | None
    tries: int = 0
    """Jobs that put it to the model, or passed it over without a line."""

    @property
    def succeeded(self) -> bool:
        return self.place is not None and self.place.succeeded

    def read(self) -> ResultLine | None:
        return None if self.place is None else read_line(self.place)


def job_folders(results_dir: Path) -> list[Path]:
    folder = results_dir / FOLDER
    return sorted(path for path in folder.iterdir() if _ID.fullmatch(path.name)) if folder.is_dir() else []


def read_jobs(results_dir: Path) -> list[Job]:
    """All that were ever whole, the oldest first; changes nothing. Raises RunStopped as `load`."""
    jobs = [job for path in job_folders(results_dir) if (job := load(path)) is not None]
    return sorted(jobs, key=lambda job: (job.prepared_at, job.id))


def keys_of(folder: Path) -> Iterator[tuple[str, str, str]]:
    """(key, sample id, step) of each request of a job, in the order of its request file."""
    try:
        with (folder / KEYS).open("rb") as stream:
            for line in stream:
                row = json.loads(line)
                yield row["key"], row["sample_id"], row["step"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunStopped(
            f"{folder / KEYS} cannot be read ({error}): it says whose answers a paid job holds. Restore it, or move "
            "the folder away, and its samples are asked again."
        ) from None


def held_samples(results_dir: Path, jobs: Iterable[Job]) -> set[str]:
    """Samples whose requests are in jobs that are under way, and are not to be asked about meanwhile."""
    open_jobs = (job for job in jobs if job.phase.is_open)
    return {sample_id for job in open_jobs for _, sample_id, _ in keys_of(results_dir / FOLDER / job.id)}


class Journal:
    """The jobs of a data set, for the one process that works with them."""

    def __init__(self, results_dir: Path):
        self.folder = results_dir / FOLDER
        self._results_dir = results_dir
        self.jobs: dict[str, Job] = {}
        self.never_submitted: list[str] = []
        """Ids of jobs that nothing is owed for; their bookings are to be settled before `clear_away`."""
        self._answers: dict[str, Answer] = {}
        self._keys: dict[tuple[str, str], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        """By (sample id, step): the unused keys of each collected job."""
        self._left: dict[str, int] = {}

    def refresh(self) -> None:
        """Reads what is on disk."""
        self.never_submitted = [p.name for p in job_folders(self._results_dir) if not (p / JOB).exists()]
        self.jobs = {job.id: job for job in read_jobs(self._results_dir)}
        for job in self.jobs.values():
            if job.phase is Phase.COLLECTED:
                self._take_in(job)

    def folder_of(self, job: Job) -> Path:
        return self.folder / job.id

    @property
    def open(self) -> list[Job]:
        return [job for job in self.jobs.values() if job.phase.is_open]

    def note(self, job: Job) -> Job:
        """Writes down how far it is."""
        self.jobs[job.id] = save(self.folder_of(job), job)
        return job

    def forget(self, job: Job) -> None:
        """The endpoint did not take it."""
        self.jobs.pop(job.id, None)
        self.never_submitted.append(job.id)

    def clear_away(self, job_id: str) -> None:
        """Removes a job that was never submitted."""
        with stopping_if_unwritable(self.folder):
            remove_job_files(self.folder / job_id)
        self.never_submitted.remove(job_id)

    def collected(self, job: Job) -> None:
        """Its result files are there: its answers can be had from now on."""
        self.note(self._take_in(job))

    def held(self) -> set[str]:
        """Samples whose requests are in open jobs."""
        return held_samples(self._results_dir, self.jobs.values())

    def answer(self, key: str) -> Answer | None:
        return self._answers.get(key)

    def answers_of(self, sample_id: str, step: str) -> Iterator[Answer]:
        """What has come of the requests of this step of the sample that are not used yet."""
        for keys in self._keys.get((sample_id, step), {}).values():
            yield from (self._answers[key] for key in keys)

    def waiting(self) -> Iterator[tuple[str, str]]:
        """(sample id, step) of the answers that are not used yet."""
        yield from list(self._keys)

    def used(self, sample_id: str, step: str) -> None:
        """The answers to this step of the sample became a result or a failure, which is on disk."""
        for job_id, keys in self._keys.pop((sample_id, step), {}).items():
            folder = self.folder / job_id
            with stopping_if_unwritable(folder / USED), (folder / USED).open("ab") as stream:
                stream.write(b"".join(to_json(key) + b"\n" for key in sorted(keys)))
            for key in keys:
                self._answers.pop(key, None)
            self._left[job_id] -= len(keys)
            if self._left[job_id] == 0:
                self._finish(self.jobs[job_id])

    def _finish(self, job: Job) -> None:
        self.note(job.to(Phase.FINISHED))
        for name in FILES:
            (self.folder_of(job) / name).unlink(missing_ok=True)

    def _take_in(self, job: Job) -> Job:
        folder = self.folder_of(job)
        used = _used(folder)
        keys = {key: (sample_id, step) for key, sample_id, step in keys_of(folder)}
        found, odd = index_lines(folder, job.service, keys)
        self._left[job.id] = 0
        for key, (sample_id, step) in keys.items():
            if key in used:
                continue
            self._answers[key] = _merged(self._answers.get(key), job, found.get(key))
            self._keys[sample_id, step][job.id].add(key)
            self._left[job.id] += 1
        figures = {"answered": sum(place.succeeded for place in found.values()), **odd}
        figures |= {"without_line": len(keys) - len(found)}
        return job.to(job.phase, figures=figures)


def _merged(before: Answer | None, job: Job, place: LinePlace | None) -> Answer:
    """A reply goes before an error, and the later one before the earlier."""
    tried = job.ran_to_the_end if place is None else not place.never_run
    succeeded = place is not None and place.succeeded
    tries = (before.tries if before else 0) + tried
    if place is not None and place.never_run:
        place = None
    if before is not None and not succeeded and (place is None or before.succeeded):
        return Answer(before.job_id, before.place, tries)
    return Answer(job.id, place, tries)


def _used(folder: Path) -> set[str]:
    try:
        lines = (folder / USED).read_bytes().splitlines()
    except FileNotFoundError:
        return set()
    used = set()
    for line in lines:
        try:
            used.add(json.loads(line))
        except ValueError:
            # cut by a kill: its answer is read once more, at no cost
            continue
    return used

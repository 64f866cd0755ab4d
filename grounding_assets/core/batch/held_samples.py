"""Samples that are another run's to answer, since their requests are in batch jobs: looked up as runs go on side by side."""

import fcntl
import json
import os
from pathlib import Path

from grounding_assets.core.batch.job import JOB, KEYS, load
from grounding_assets.core.batch.journal import FOLDER, job_folders

LOCK = ".lock"


class Held:
    """What a run by ordinary calls leaves alone. Thread-safe enough for lookups from threads of one run."""

    def __init__(self, results_dir: Path):
        self._results_dir = results_dir
        self._read: dict[str, tuple[int, set[str]]] = {}
        """By job: bytes of its keys that were read, and the samples in them."""
        self._closed: set[str] = set()

    def __call__(self, sample_id: str) -> bool:
        """Whether the sample is in a job that is under way or under construction. Raises RunStopped as `load`."""
        if not (self._results_dir / FOLDER).is_dir():
            return False
        return any(
            sample_id in self._samples_of(folder)
            for folder in job_folders(self._results_dir)
            if folder.name not in self._closed and self._is_open(folder)
        )

    def _is_open(self, folder: Path) -> bool:
        if not (folder / JOB).exists():
            return self._is_being_built()
        job = load(folder)
        if job is None or job.phase.is_open:
            return True
        self._closed.add(folder.name)
        return False

    def _samples_of(self, folder: Path) -> set[str]:
        offset, found = self._read.get(folder.name, (0, set[str]()))
        try:
            with (folder / KEYS).open("rb") as stream:
                stream.seek(offset)
                new = stream.read()
        except FileNotFoundError:
            return found
        whole = new.rfind(b"\n") + 1
        found |= {json.loads(line)["sample_id"] for line in new[:whole].splitlines()}
        self._read[folder.name] = offset + whole, found
        return found

    def _is_being_built(self) -> bool:
        """Whether a process works with the batches; what a killed one was building is nobody's."""
        try:
            descriptor = os.open(self._results_dir / FOLDER / LOCK, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

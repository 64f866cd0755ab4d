"""The store of one step's results: one checkpoint or one failure a sample, each a file.

The file is the result. `CheckpointIndex` (see `checkpoint_index`) only remembers what is in them.
"""

import glob
import json
import os
import shutil
import stat
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from grounding_assets.core.errors import Reason, RunStopped, SampleFailure
from grounding_assets.core.files import (
    file_stamp,
    make_folder,
    remove_leftovers,
    stopping_if_unwritable,
    sync_folder,
    to_json,
    write_whole,
)
from grounding_assets.core.store.checkpoint import Checkpoint, CorruptCheckpoint


class CheckpointStore:
    """`.ckpt/` and `.failed/` of one step. Safe for several threads and processes: files are replaced whole."""

    def __init__(self, step_dir: Path):
        self.step_dir = step_dir
        self.done_dir = step_dir / ".ckpt"
        self.failed_dir = step_dir / ".failed"
        self.corrupt_dir = step_dir / ".corrupt"
        self.staged_dir = step_dir / ".redone"
        """Results whose samples are still being redone: they take their places together."""
        self.retired_dir = step_dir / ".retired"
        """Results that have been replaced, each set in a folder named by its time."""
        self._prepared = False
        self._syncing = threading.Lock()
        self._unsynced: set[Path] = set()
        """Folders whose names have changed since they were last synced."""
        self._retired_stamp = _time_stamp()

    def prepare(self) -> None:
        """Makes the folders, and clears away what writers that were killed have left in them.

        Raises:
            RunStopped: the folders cannot be written.
        """
        for folder in (self.done_dir, self.failed_dir):
            with stopping_if_unwritable(folder):
                make_folder(folder)
                remove_leftovers(folder)
        remove_leftovers(self.step_dir)
        self._prepared = True

    def save(self, checkpoint: Checkpoint) -> os.stat_result:
        """Makes the result durable, then forgets an earlier failure; returns what the system knows of the file.

        A result that it replaces is kept aside. At no moment is there none.

        Raises:
            RunStopped: it cannot be written, or was written and the folder of the earlier ones has gone.
        """
        defect = checkpoint.defect()
        if defect:
            raise AssertionError(f"a teacher broke the output format for {checkpoint.sample_id}: {defect}")
        path = self.path(checkpoint.sample_id)
        kept = self._keep_aside(path)
        try:
            status, made_folder = self._write(path, checkpoint.to_json())
        except BaseException:
            if kept is not None:
                kept.unlink(missing_ok=True)
            raise
        with stopping_if_unwritable(path):
            self._failed_path(checkpoint.sample_id).unlink(missing_ok=True)
        if made_folder and self._prepared:
            raise RunStopped(
                f"{self.done_dir} was removed during the run; what was in flight is kept in a new one. "
                "Put the old one back if you can, then run again."
            )
        return status

    def sync(self) -> None:
        """Makes the names durable of all that was saved, kept aside and replaced so far. Thread-safe.

        Grouped, since a sync of the folder costs as much as that of a file.

        Raises:
            RunStopped: a folder cannot be synced.
        """
        with self._syncing:
            for folder in [*self._unsynced]:
                self._unsynced.discard(folder)
                with stopping_if_unwritable(folder):
                    sync_folder(folder)

    def load(self, sample_id: str) -> Checkpoint | None:
        """The result, or None if there is none; a file that is no checkpoint of it is set aside first.

        Raises:
            RunStopped: the file is there and cannot be read.
        """
        return self.load_file(self.path(sample_id), sample_id)

    def load_file(self, path: Path, sample_id: str) -> Checkpoint | None:
        """The same of a result that lies elsewhere."""
        try:
            raw = _read(path)
            if raw is None:
                return None
            checkpoint = Checkpoint.from_json(json.loads(raw, parse_constant=_refuse))
            if checkpoint.sample_id != sample_id:
                # copied or renamed by hand: the ids in it are those of another sample
                raise CorruptCheckpoint(f"of {checkpoint.sample_id}")
        except (CorruptCheckpoint, ValueError, RecursionError):
            self._set_aside(path)
            return None
        return checkpoint

    def save_failure(self, sample_id: str, fingerprint: str, failure: SampleFailure) -> None:
        row = {
            "sample_id": sample_id,
            "fingerprint": fingerprint,
            "reason": str(failure.reason),
            "message": str(failure),
            "attempts": failure.attempts,
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "provenance": failure.provenance,
            "replies": list(failure.replies),
        }
        self._write(self._failed_path(sample_id), row)

    def load_failure(self, sample_id: str) -> dict[str, Any] | None:
        path = self._failed_path(sample_id)
        try:
            raw = _read(path)
            row = None if raw is None else json.loads(raw)
        except (CorruptCheckpoint, ValueError, RecursionError):
            self._set_aside(path)
            return None
        if not isinstance(row, dict) or row.get("reason") not in list(Reason):
            return None
        return row if {"message", "attempts"} <= row.keys() else None

    def failure_stamps(self) -> dict[str, int]:
        """The stamp of each failure that is there, by sample id."""
        return {path.stem: file_stamp(path) for path in self.failed_dir.glob("*.json")}

    def failure_stamp(self, sample_id: str) -> int:
        return file_stamp(self._failed_path(sample_id))

    def stage(self, checkpoint: Checkpoint) -> None:
        """Makes a result durable that does not take its place yet. Raises RunStopped if it cannot be written."""
        with stopping_if_unwritable(self.staged_dir):
            make_folder(self.staged_dir)
        self._write(self.staged_path(checkpoint.sample_id), checkpoint.to_json())

    def staged_ids(self) -> list[str]:
        return [path.stem for path in self.staged_dir.glob("*.json")]

    def load_staged(self, sample_id: str) -> Checkpoint | None:
        return self.load_file(self.staged_path(sample_id), sample_id)

    def promote(self, sample_id: str) -> os.stat_result | None:
        """Puts a staged result in its place; the one that it replaces is kept aside. None if another run has."""
        staged, path = self.staged_path(sample_id), self.path(sample_id)
        self._keep_aside(path)
        with stopping_if_unwritable(path), suppress(FileNotFoundError):
            staged.replace(path)
            self._unsynced.update((path.parent, staged.parent))
            self._failed_path(sample_id).unlink(missing_ok=True)
            return path.stat()
        return None

    def drop_staged(self, sample_id: str) -> None:
        """A staged result that will not take its place is kept aside, too."""
        self._keep_aside(self.staged_path(sample_id))
        with stopping_if_unwritable(self.staged_dir):
            self.staged_path(sample_id).unlink(missing_ok=True)

    def retire(self, sample_id: str) -> None:
        """Keeps a result aside, and leaves none in its place."""
        path = self.path(sample_id)
        self._keep_aside(path)
        with stopping_if_unwritable(path):
            path.unlink(missing_ok=True)

    def retired(self, sample_id: str) -> list[Path]:
        """The sample's results that were kept aside, the last first."""
        return sorted(self.retired_dir.glob(f"*/{glob.escape(sample_id)}.json"), reverse=True)

    def _keep_aside(self, path: Path) -> Path | None:
        """A second name for what lies there, in a folder of this process's; nothing if nothing lies there."""
        if not path.exists():
            return None
        with stopping_if_unwritable(self.retired_dir), suppress(FileNotFoundError):
            for _ in range(2):
                kept = self.retired_dir / self._retired_stamp / path.name
                try:
                    kept.parent.mkdir(parents=True, exist_ok=True)
                    _link_or_copy(path, kept)
                    self._unsynced.update((kept.parent, self.retired_dir, self.step_dir))
                    return kept
                except FileExistsError:
                    # the sample's second replacement in this run
                    self._retired_stamp = _time_stamp()
        return None

    def path(self, sample_id: str) -> Path:
        return self.done_dir / f"{sample_id}.json"

    def staged_path(self, sample_id: str) -> Path:
        return self.staged_dir / f"{sample_id}.json"

    def _failed_path(self, sample_id: str) -> Path:
        return self.failed_dir / f"{sample_id}.json"

    def _write(self, path: Path, tree: Mapping[str, Any]) -> tuple[os.stat_result, bool]:
        """Returns what the system knows of the file, and whether its folder had to be made first."""
        content, made_folder = to_json(tree), False
        with stopping_if_unwritable(path):
            try:
                status = write_whole(path, content)
            except FileNotFoundError:
                # what is paid for is not given up because its folder has gone
                make_folder(path.parent)
                status, made_folder = write_whole(path, content), True
        self._unsynced.add(path.parent)
        return status, made_folder

    def _set_aside(self, path: Path) -> None:
        stamp = _time_stamp()
        with stopping_if_unwritable(self.corrupt_dir):
            self.corrupt_dir.mkdir(exist_ok=True)
            # another run may have found it first
            with suppress(FileNotFoundError):
                path.replace(self.corrupt_dir / f"{path.stem}.{stamp}.json")


def _time_stamp() -> str:
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")


def _link_or_copy(path: Path, kept: Path) -> None:
    try:
        os.link(path, kept)
    except (FileExistsError, FileNotFoundError):
        raise
    except OSError:
        # a file system without hard links
        if kept.exists():
            raise FileExistsError(kept) from None
        shutil.copy2(path, kept)


def _refuse(constant: str) -> Any:
    raise CorruptCheckpoint(f"{constant}, which no output file can hold")


def _read(path: Path) -> bytes | None:
    try:
        # asked before it is opened: a pipe would be waited for, a device read for ever
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise CorruptCheckpoint("no regular file")
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunStopped(
            f"Cannot read {path}: {error.strerror}. Repair or remove it, then run again."
        ) from None

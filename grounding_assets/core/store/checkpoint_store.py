"""The store of one step's results: one checkpoint or one failure a sample, each a file.

The file is the result. `CheckpointIndex` (see `checkpoint_index`) only remembers what is in them.
"""

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from grounding_assets.core.errors import Reason, RunStopped, SampleFailure
from grounding_assets.core.files import remove_leftovers, stopping_if_unwritable, to_json, write_whole
from grounding_assets.core.store.checkpoint import Checkpoint, CorruptCheckpoint


class CheckpointStore:
    """`.ckpt/` and `.failed/` of one step. Safe for several threads and processes: files are replaced whole."""

    def __init__(self, step_dir: Path):
        self.step_dir = step_dir
        self.done_dir = step_dir / ".ckpt"
        self.failed_dir = step_dir / ".failed"
        self.corrupt_dir = step_dir / ".corrupt"
        self._prepared = False

    def prepare(self) -> None:
        """Makes the folders, and clears away what writers that were killed have left in them.

        Raises:
            RunStopped: the folders cannot be written.
        """
        for folder in (self.done_dir, self.failed_dir):
            with stopping_if_unwritable(folder):
                folder.mkdir(parents=True, exist_ok=True)
                remove_leftovers(folder)
        remove_leftovers(self.step_dir)
        self._prepared = True

    def save(self, checkpoint: Checkpoint) -> os.stat_result:
        """Makes the result durable, then forgets an earlier failure; returns what the system knows of the file.

        Raises:
            RunStopped: it cannot be written, or was written and the folder of the earlier ones has gone.
        """
        defect = checkpoint.defect()
        if defect:
            raise AssertionError(f"a teacher broke the output format for {checkpoint.sample_id}: {defect}")
        path = self.path(checkpoint.sample_id)
        status, made_folder = _write(path, checkpoint.to_json())
        with stopping_if_unwritable(path):
            self._failed_path(checkpoint.sample_id).unlink(missing_ok=True)
        if made_folder and self._prepared:
            raise RunStopped(
                f"{self.done_dir} was removed while the run was going; what was in flight is kept in a new one. "
                "Put the old one back if you can, then run again."
            )
        return status

    def load(self, sample_id: str) -> Checkpoint | None:
        """The result, or None where there is none; a file that is no checkpoint of it is set aside first.

        Raises:
            RunStopped: the file is there and cannot be read.
        """
        path = self.path(sample_id)
        try:
            raw = _read(path)
            checkpoint = (
                None if raw is None else Checkpoint.from_json(json.loads(raw, parse_constant=_refuse))
            )
        except (CorruptCheckpoint, ValueError, RecursionError):
            self._set_aside(path)
            return None
        if checkpoint is not None and checkpoint.sample_id != sample_id:
            # copied or renamed by hand: the ids in it are those of another sample
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
        _write(self._failed_path(sample_id), row)

    def load_failure(self, sample_id: str) -> dict[str, Any] | None:
        path = self._failed_path(sample_id)
        raw = _read(path)
        try:
            row = None if raw is None else json.loads(raw)
        except (ValueError, RecursionError):
            self._set_aside(path)
            return None
        if not isinstance(row, dict) or row.get("reason") not in list(Reason):
            return None
        return row if {"message", "attempts"} <= row.keys() else None

    def retire(self, sample_ids: Iterable[str], *, made_before_ns: int | None = None) -> int:
        """Moves results out of the way, into a folder named by the time; nothing is deleted.

        A file that was changed after `made_before_ns`, in ns of the file system's clock, stays.
        """
        kept = self._retired_dir()
        moved = 0
        for sample_id in sample_ids:
            path = self.path(sample_id)
            # another run may be moving it, too
            with stopping_if_unwritable(kept), suppress(FileNotFoundError):
                if made_before_ns is not None and path.stat().st_mtime_ns > made_before_ns:
                    continue
                if not path.exists():
                    continue
                kept.mkdir(parents=True, exist_ok=True)
                path.replace(kept / path.name)
                moved += 1
        return moved

    def supersede(self, checkpoints: Iterable[Checkpoint]) -> list[os.stat_result]:
        """Saves results in place of those that are there, which are kept aside as by `retire`; as `save` returns.

        At no moment is a sample without a result, so a kill loses nothing.
        """
        kept = self._retired_dir()
        saved: list[os.stat_result] = []
        for checkpoint in checkpoints:
            path = self.path(checkpoint.sample_id)
            if path.exists():
                with stopping_if_unwritable(kept):
                    kept.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(path, kept / path.name)
            saved.append(self.save(checkpoint))
        return saved

    def _retired_dir(self) -> Path:
        return self.step_dir / ".retired" / datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")

    def path(self, sample_id: str) -> Path:
        return self.done_dir / f"{sample_id}.json"

    def _failed_path(self, sample_id: str) -> Path:
        return self.failed_dir / f"{sample_id}.json"

    def _set_aside(self, path: Path) -> None:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
        with stopping_if_unwritable(self.corrupt_dir):
            self.corrupt_dir.mkdir(exist_ok=True)
            # another run may have found it first
            with suppress(FileNotFoundError):
                path.replace(self.corrupt_dir / f"{path.stem}.{stamp}.json")


def _write(path: Path, tree: Mapping[str, Any]) -> tuple[os.stat_result, bool]:
    """Returns what the system knows of the file, and whether its folder had to be made first."""
    content = to_json(tree)
    with stopping_if_unwritable(path):
        try:
            return write_whole(path, content), False
        except FileNotFoundError:
            # what is paid for is not given up because its folder has gone
            path.parent.mkdir(parents=True, exist_ok=True)
            return write_whole(path, content), True


def _refuse(constant: str) -> Any:
    raise CorruptCheckpoint(f"{constant}, which no output file can hold")


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunStopped(
            f"Cannot read {path}: {error.strerror}. Mend or remove it, then run again."
        ) from None

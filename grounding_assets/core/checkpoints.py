"""The store of one step's results: one checkpoint or one failure a sample, each a file.

The file is the result. `CheckpointIndex` (see `checkpoint_index`) only remembers what is in them.
"""

import json
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from grounding_assets.core.errors import Reason, RunStopped, SampleFailure
from grounding_assets.core.files import remove_leftovers, replacing, stopping_if_unwritable, to_json
from grounding_assets.core.fingerprint import verification_fingerprint
from grounding_assets.core.records import Expression, GroundingStatus, Instance, ScoreSource, SpanStatus

FORMAT = 1
SPAN_STATUSES, SCORE_SOURCES = get_args(SpanStatus), get_args(ScoreSource)


class CorruptCheckpoint(Exception):
    """The file is not a checkpoint of this format; its text says why."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One sample's result of one step, with all that is needed to judge or redo it without a call."""

    sample_id: str
    fingerprint: str
    """Digest of the step's input."""
    output_fingerprint: str
    """Digest of the next step's input that this result makes; empty from step 1 on, see `next_fingerprint`."""
    settings_fingerprint: str
    cleaned_caption: str
    expressions: tuple[Expression, ...]
    image_size: tuple[int, int]
    """(width, height) in pixels of the upright original."""
    provenance: Mapping[str, Any]
    replies: tuple[str, ...]

    @property
    def next_fingerprint(self) -> str:
        """Digest of the next step's input. From step 1 on the boxes make it, whoever wrote the file."""
        return self.output_fingerprint or verification_fingerprint(self.fingerprint, self.expressions)

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "sample_id": self.sample_id,
            "fingerprint": self.fingerprint,
            "output_fingerprint": self.output_fingerprint,
            "settings_fingerprint": self.settings_fingerprint,
            "record": {
                "width": self.image_size[0],
                "height": self.image_size[1],
                "cleaned_caption": self.cleaned_caption,
                "expressions": [e.to_record(self.sample_id, i) for i, e in enumerate(self.expressions)],
            },
            "provenance": dict(self.provenance),
            "replies": list(self.replies),
        }

    @classmethod
    def from_json(cls, tree: Any) -> "Checkpoint":
        try:
            if tree["format"] != FORMAT:
                raise CorruptCheckpoint(f"format {tree['format']!r} instead of {FORMAT}")
            record = tree["record"]
            checkpoint = cls(
                sample_id=tree["sample_id"],
                fingerprint=tree["fingerprint"],
                output_fingerprint=tree["output_fingerprint"],
                settings_fingerprint=tree["settings_fingerprint"],
                cleaned_caption=record["cleaned_caption"],
                expressions=tuple(expression_from_record(row) for row in record["expressions"]),
                image_size=(int(record["width"]), int(record["height"])),
                provenance=dict(tree["provenance"]),
                replies=tuple(tree["replies"]),
            )
            defect = checkpoint.defect()
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise CorruptCheckpoint(f"{type(error).__name__}: {error}") from None
        if defect:
            raise CorruptCheckpoint(defect)
        return checkpoint

    def defect(self) -> str:
        """The first rule of the output format that this result breaks; empty where it keeps them all."""
        digests = (self.fingerprint, self.output_fingerprint, self.settings_fingerprint)
        texts = (self.sample_id, *digests, self.cleaned_caption, *self.replies)
        if not all(isinstance(text, str) for text in texts):
            return "a number stands where a text belongs"
        width, height = self.image_size
        for expression in self.expressions:
            start, end = expression.char_span
            if not 0 <= start < end or self.cleaned_caption[start:end] != expression.text:
                return f"char_span [{start}, {end}] is not where '{expression.text[:80]}' stands"
            if not isinstance(expression.noun_chunk, str) or expression.span_status not in SPAN_STATUSES:
                return f"noun_chunk or span_status of '{expression.text[:80]}'"
            if type(expression.complete) not in (bool, type(None)):
                return f"complete of '{expression.text[:80]}' is neither true, false nor null"
            for instance in expression.instances:
                x1, y1, x2, y2 = instance.bbox
                if not (0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height):
                    return f"bbox {list(instance.bbox)} is not inside {width} x {height} pixels"
                if type(instance.verified) not in (bool, type(None)):
                    return f"verified of bbox {list(instance.bbox)} is neither true, false nor null"
                if not 0 <= instance.score <= 1 or instance.score_source not in SCORE_SOURCES:
                    return f"score {instance.score} from '{instance.score_source}'"
        return ""


def expression_from_record(row: Mapping[str, Any]) -> Expression:
    """The inverse of `Expression.to_record`; raises KeyError, TypeError or ValueError."""
    start, end = row["char_span"]
    status = row.get("grounding_status")
    return Expression(
        text=row["text"],
        char_span=(int(start), int(end)),
        noun_chunk=row["noun_chunk"],
        span_status=row.get("span_status", "exact"),
        instances=tuple(
            Instance(_four_ints(box["bbox"]), float(box["score"]), box["score_source"], box.get("verified"))
            for box in row["instances"]
        ),
        grounding_status=None if status is None else GroundingStatus(status),
        looked_at="complete" in row,
        complete=row.get("complete"),
    )


def _four_ints(bbox: Any) -> tuple[int, int, int, int]:
    x1, y1, x2, y2 = bbox
    return int(x1), int(y1), int(x2), int(y2)


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

    def save(self, checkpoint: Checkpoint) -> None:
        """Makes the result durable, then forgets an earlier failure.

        Raises:
            RunStopped: it cannot be written, or was written and the folder of the earlier ones has gone.
        """
        defect = checkpoint.defect()
        if defect:
            raise AssertionError(f"a teacher broke the output format for {checkpoint.sample_id}: {defect}")
        removed = self._prepared and not self.done_dir.is_dir()
        path = self.path(checkpoint.sample_id)
        _write(path, checkpoint.to_json())
        with stopping_if_unwritable(path):
            self._failed_path(checkpoint.sample_id).unlink(missing_ok=True)
        if removed:
            raise RunStopped(
                f"{self.done_dir} was removed while the run was going; what was in flight is kept in a new one. "
                "Put the old one back if you can, then run again."
            )

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

    def retire(self, sample_ids: Iterable[str]) -> int:
        """Moves results out of the way, into a folder named by the time; nothing is deleted."""
        kept = self._retired_dir()
        moved = 0
        for sample_id in sample_ids:
            path = self.path(sample_id)
            if path.exists():
                with stopping_if_unwritable(kept):
                    kept.mkdir(parents=True, exist_ok=True)
                    path.replace(kept / path.name)
                moved += 1
        return moved

    def supersede(self, checkpoints: Iterable[Checkpoint]) -> int:
        """Saves results in place of those that are there, which are kept aside as by `retire`.

        At no moment is a sample without a result, so a kill loses nothing.
        """
        kept = self._retired_dir()
        saved = 0
        for checkpoint in checkpoints:
            path = self.path(checkpoint.sample_id)
            if path.exists():
                with stopping_if_unwritable(kept):
                    kept.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(path, kept / path.name)
            self.save(checkpoint)
            saved += 1
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


def _write(path: Path, tree: Mapping[str, Any]) -> None:
    with stopping_if_unwritable(path), replacing(path) as stream:
        stream.write(to_json(tree))


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

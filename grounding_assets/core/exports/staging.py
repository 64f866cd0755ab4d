"""An export's folder: built aside, put in place whole, and never at the cost of somebody else's files."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from grounding_assets.core.errors import InputError, SpecError
from grounding_assets.core.files import locked, replacing, to_json

MANIFEST = "export.json"
"""Machine-readable report of the export; its `files` say what a later export may replace."""
_PREFIX = ".export-"
_PARTS = ("new", "scratch", "replaced")


@dataclass(frozen=True, slots=True)
class Staging:
    """Where an export is built."""

    new: Path
    """What stands here takes its place in the export's folder in the end."""
    scratch: Path
    """For files that are needed while writing only."""
    replaced: Path


@contextmanager
def staged(out_dir: Path) -> Iterator[Staging]:
    """A place to build an export of `out_dir`, on the same file system; `publish` puts it in place.

    Another export of the same folder waits until this one has ended; on a file system without locks nobody does.
    What a killed one was building goes.

    Raises:
        SpecError: the folder holds something else than an earlier export.
        InputError: the folder cannot be made.
    """
    with _made_and_locked(out_dir) as is_alone:
        _require_ours(out_dir)
        if is_alone:
            _remove_leftovers(out_dir)
        root = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=out_dir))
        try:
            staging = Staging(*(root / part for part in _PARTS))
            for part in _PARTS:
                (root / part).mkdir()
            yield staging
        finally:
            shutil.rmtree(root)


@contextmanager
def _made_and_locked(out_dir: Path) -> Iterator[bool]:
    """Yields whether other exports wait. A folder that was made for nothing goes again in the end."""
    with ExitStack() as stack:
        while True:
            is_new = not out_dir.exists()
            try:
                out_dir.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                if isinstance(error, FileExistsError) and not os.path.lexists(out_dir):
                    continue
                raise InputError(f"Cannot make the folder {out_dir}: {error.strerror}.") from None
            # an export that failed may take the folder away at any time until it is locked
            with suppress(FileNotFoundError):
                is_alone = stack.enter_context(locked(out_dir, required=False))
                break
        try:
            yield is_alone
        finally:
            if is_new and not any(out_dir.iterdir()):
                out_dir.rmdir()


def _require_ours(out_dir: Path) -> None:
    strangers = {entry.name for entry in out_dir.iterdir() if not entry.name.startswith(".")}
    strangers -= former_files(out_dir)
    if strangers:
        raise SpecError(
            f"{out_dir} holds {sorted(strangers)[0]}, which no export wrote: choose a new or empty folder."
        )


def _remove_leftovers(out_dir: Path) -> None:
    for root in out_dir.glob(f"{_PREFIX}*"):
        if root.is_dir() and {part.name for part in root.iterdir()}.issubset(_PARTS):
            shutil.rmtree(root)


def publish(staging: Staging, out_dir: Path) -> None:
    """Puts every file and folder in its place, each by one rename; what an earlier export left goes."""
    # one flush for everything: an fsync for each of Flickr30k's files takes minutes
    os.sync()
    former = former_files(out_dir)
    new = sorted((entry.name for entry in staging.new.iterdir()), key=lambda name: (name == MANIFEST, name))
    with replacing(out_dir / MANIFEST) as stream:
        # until all is in place both exports' files count as ours, so that a killed export can be redone
        stream.write(to_json({"files": sorted(former.union(new))}))
    for name in new:
        target = out_dir / name
        if target.is_dir():
            target.rename(staging.replaced / name)
        (staging.new / name).rename(target)
    for name in former.difference(new):
        if (out_dir / name).exists():
            (out_dir / name).rename(staging.replaced / name)


def former_files(out_dir: Path) -> set[str]:
    """Names that an earlier export put directly into the folder; empty if there was none."""
    try:
        manifest = json.loads((out_dir / MANIFEST).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return set()
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{out_dir / MANIFEST} cannot be read ({error}): delete the old export.") from None
    files = manifest.get("files") if isinstance(manifest, dict) else None
    if not isinstance(files, list):
        raise SpecError(f"{out_dir / MANIFEST} was written by something else: choose another folder.")
    return {
        name
        for name in files
        if isinstance(name, str) and name and Path(name).name == name and not name.startswith(".")
    }

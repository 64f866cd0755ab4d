"""The name that Dagster keeps a data set's status by: chosen once, and kept in its results folder.

A folder that is moved, or mounted elsewhere, keeps its name; a copy, and another folder at the same path, get
names of their own. Specs may give a name instead.
"""

import hashlib
import json
import re
import secrets
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from grounding_assets.core.errors import InputError
from grounding_assets.core.files import locked, make_folder, replacing, stopping_if_unwritable, to_json
from grounding_assets.core.spec.paths import scheme_of
from grounding_assets.core.spec.settings import Spec
from grounding_assets.core.steps import Step

NAME_FILE = ".dataset.json"
_NAME = re.compile(r"[A-Za-z0-9_]{1,80}")


class _Kept(NamedTuple):
    name: str
    folder: Path
    """Where the results folder was when the name was written."""


def dataset_name(spec: Spec) -> str:
    """`data.name`, else the name in the results folder, which is made with one if it is new, or of their address.

    Raises:
        RunStopped: the folder cannot be written.
        InputError: the file that holds the name is damaged.
    """
    if spec.data.name:
        return spec.data.name
    if scheme_of(spec.results_dir):
        return name_of_address(spec.results_dir)
    results_dir = spec.results_folder
    file = results_dir / NAME_FILE
    with stopping_if_unwritable(file):
        make_folder(results_dir)
        with locked(results_dir):
            kept = _kept(results_dir)
            name = proposed_name(results_dir)
            if kept != (name, results_dir):
                with replacing(file) as stream:
                    stream.write(to_json({"name": name, "folder": str(results_dir)}))
    return name


def proposed_name(results_dir: Path) -> str:
    """The name that a results folder has or, if it has none yet, may be given. Writes nothing."""
    kept = _kept(results_dir)
    if kept is not None and not _is_copy(results_dir, kept):
        return kept.name
    if kept is None and any((results_dir / step.folder).is_dir() for step in Step):
        return name_of_path(results_dir)
    return _named(results_dir, secrets.token_hex(3))


def name_of_address(address: str) -> str:
    """What results in object storage are called: the same on every machine."""
    whole = address.rstrip("/")
    return _named(Path(whole.rpartition("/")[2]), hashlib.sha256(whole.encode()).hexdigest()[:6])


def name_of_path(results_dir: Path) -> str:
    """What results folders without a name file were called: the last part and six hex digits of the path."""
    return _named(results_dir, hashlib.sha256(str(results_dir.absolute()).encode()).hexdigest()[:6])


def _named(results_dir: Path, digits: str) -> str:
    slug = re.sub(r"[^A-Za-z0-9]+", "_", results_dir.absolute().name).strip("_").lower()[:60] or "results"
    return f"{slug}_{digits}"


def _kept(results_dir: Path) -> _Kept | None:
    file = results_dir / NAME_FILE
    try:
        content = json.loads(file.read_bytes())
        kept = _Kept(str(content["name"]), Path(content["folder"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        kept = _Kept("", results_dir)
    if not _NAME.fullmatch(kept.name):
        raise InputError(
            f"{file} is damaged. Delete it: the results stay, and Dagster is told of them under a new name. Or set "
            "image_grounding.data.name to the old name."
        )
    return kept


def _is_copy(results_dir: Path, kept: _Kept) -> bool:
    """Whether the folder that the name was given to is still there, and is another one."""
    with suppress(OSError):
        return (kept.folder / NAME_FILE).is_file() and not kept.folder.samefile(results_dir)
    return False

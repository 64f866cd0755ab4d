"""Copies of results in object storage, for what reads files of this machine: reports, exports, evaluations.

Each is fetched in a stream, and again when the storage says that it is another one. What is made of a copy stays beside it.
"""

from collections.abc import Callable
from pathlib import Path

from grounding_assets.core.dataset.names import dataset_name, name_of_address
from grounding_assets.core.shards.joining import JOINED
from grounding_assets.core.shards.manifest import part_of
from grounding_assets.core.spec.settings import Spec
from grounding_assets.core.spec.shards import FOLDER
from resources.fetched_files import fetched


def copy_results(spec: Spec, copies: Path, notice: Callable[[str], None]) -> Spec:
    """Brings the joined files, or those of the shard that `data.shard` names, to a folder below `copies`.

    Returns the spec with that folder as its results folder. `notice` is told what is copied, and how much that is.

    Raises:
        InputError: a file is not there, or changes all the time.
        RunStopped: the storage does not answer, or there is no room for the copy.
    """
    name, key = dataset_name(spec), spec.data.shard
    # not by `data.name`: what is made of one copy must not stand beside another
    folder = copies / name_of_address(spec.results_dir)
    names = {file: file for file in (*JOINED, "rejected.jsonl")}
    if key:
        folder = folder / FOLDER / key
        names = {file: part_of(key, file) for file in JOINED}
    for file, stored in names.items():
        fetched(f"{spec.results_dir.rstrip('/')}/{stored}", folder / file, notice)
    data = spec.data.model_copy(
        update={"name": f"{name}_{key}"[-80:] if key else name, "shard": "", "shard_size": 0}
    )
    pipeline = spec.image_grounding.model_copy(update={"data": data})
    return spec.model_copy(update={"results_dir": str(folder), "image_grounding": pipeline})

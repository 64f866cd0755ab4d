"""The spec of one shard of a data set."""

from pathlib import Path

from grounding_assets.core.spec.settings import Spec

FOLDER = "shards"
"""Below the results folder: one folder a shard, named by its key."""
SLICE = "input.jsonl"
"""In a shard's folder: its lines of the input, as they were when it was cut."""


def spec_of_shard(spec: Spec, key: str, folder: Path, limit: int) -> Spec:
    """The spec of one shard as a data set, with `folder` as its results folder. Image paths begin where they did.

    `limit`: its first samples that a run takes; 0: all.
    """
    data = spec.data
    changed = data.model_copy(
        update={
            "input_jsonl": str(folder / SLICE),
            "name": f"{data.name}_{key}"[-80:] if data.name else "",
            "shard_size": 0,
            "shard": "",
        }
    )
    workflow = spec.workflow.model_copy(update={"limit": limit})
    pipeline = spec.image_grounding.model_copy(update={"data": changed, "workflow": workflow})
    return spec.model_copy(update={"results_dir": str(folder), "image_grounding": pipeline})


def opened(spec: Spec) -> Spec:
    """The spec of the shard that `data.shard` names; without one, the spec as it is.

    Raises:
        SpecError: the shard is in object storage.
    """
    key = spec.data.shard
    if not key:
        return spec
    return spec_of_shard(spec, key, spec.results_folder / FOLDER / key, spec.workflow.limit)

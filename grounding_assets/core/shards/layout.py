"""Whether a data set is cut into shards: what its results folder is already, else what the spec says."""

import hashlib
from pathlib import Path

from grounding_assets.core.errors import InputError, SpecError
from grounding_assets.core.shards.local import LocalShards
from grounding_assets.core.shards.manifest import data_set_folder, is_shard
from grounding_assets.core.shards.place import Shards
from grounding_assets.core.spec.paths import scheme_of
from grounding_assets.core.spec.settings import Spec
from grounding_assets.core.spec.shards import SLICE

USUAL_SIZE = 10_000
"""Lines of a shard if no number is asked for."""
UNCUT_UP_TO = 100_000
"""Lines of an input that is not cut unless it is asked for: Dagster's own advice on partitions of an asset."""
_READ_BYTES = 1 << 20


def shard_size_of(spec: Spec, shards: Shards) -> int:
    """Lines of each shard; 0 if the data set is not cut. What a results folder is already decides.

    Raises:
        SpecError: `data.shard_size` contradicts the results that are there.
        InputError: the manifest is damaged.
    """
    wanted, manifest = spec.data.shard_size, shards.manifest()
    if manifest is not None:
        if wanted not in (-1, manifest.shard_size):
            raise SpecError(
                f"The results in {shards.where} are cut into shards of {manifest.shard_size:,} lines: leave "
                f"image_grounding.data.shard_size={wanted} out, or take another results_dir."
            )
        return manifest.shard_size
    if shards.is_whole_data_set():
        if wanted > 0:
            raise SpecError(
                f"{shards.where} holds results that are not cut into shards: leave image_grounding.data.shard_size={wanted} "
                "out, or take another results_dir."
            )
        return 0
    stored = bool(scheme_of(spec.results_dir))
    if stored and wanted == 0:
        raise SpecError(
            f"Results in object storage ({shards.where}) are kept in shards: leave image_grounding.data.shard_size=0 out, or take a "
            "results_dir on this machine."
        )
    if wanted >= 0:
        return wanted
    return USUAL_SIZE if stored or _is_large(spec) else 0


def refuse_cut(spec: Spec) -> None:
    """Keeps what works on one results folder from taking one of shards for it.

    Raises:
        InputError: the data set is cut into shards; says how to name one of them.
    """
    results_dir = spec.results_folder
    if not is_shard(results_dir) and shard_size_of(spec, LocalShards(results_dir)):
        raise InputError(
            f"The data set in {results_dir} is cut into shards, and this works on one results folder: add "
            "data.shard=00000 for one of them, or use `auto_label generate`."
        )


def check_slice(results_dir: Path) -> None:
    """Makes sure that the lines of a shard are those that were cut for it; any other folder passes.

    Raises:
        InputError: they are missing or others; says how to get them back.
    """
    root = data_set_folder(results_dir)
    manifest = LocalShards(root).manifest() if root != results_dir else None
    if manifest is None:
        return
    file, known = results_dir / SLICE, manifest.slice_of(results_dir.name)
    again = "`auto_label generate` on the whole data set, or materialize `samples`"
    try:
        with file.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        raise InputError(
            f"{file} is missing, the shard's lines of the input: run {again}, which takes them out of the input again."
        ) from None
    except OSError as error:
        raise InputError(f"Cannot read {file}: {error.strerror}.") from None
    if found != known.sha256:
        raise InputError(
            f"{file} does not hold the lines that were cut into shard {results_dir.name}. If you changed it, change the same lines "
            f"of the input; else delete it. Then run {again}."
        )


def _is_large(spec: Spec) -> bool:
    given = spec.data.input_jsonl
    file = Path(given)
    if given in ("", "???") or not file.is_file():
        return False
    lines = 0
    with file.open("rb") as stream:
        while lines <= UNCUT_UP_TO and (part := stream.read(_READ_BYTES)):
            lines += part.count(b"\n")
    return lines > UNCUT_UP_TO

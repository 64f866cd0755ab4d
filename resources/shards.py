"""The shards of a data set, wherever its results are."""

from collections.abc import Callable, Generator
from contextlib import nullcontext
from pathlib import Path

from grounding_assets.core.budget.grants import Grants
from grounding_assets.core.errors import InputError, SpecError
from grounding_assets.core.shards.joining import current_status, read_as_part, read_as_whole
from grounding_assets.core.shards.layout import shard_size_of
from grounding_assets.core.shards.local import LocalShards
from grounding_assets.core.shards.manifest import Manifest, is_shard
from grounding_assets.core.shards.place import Shards
from grounding_assets.core.shards.status import STATUS
from grounding_assets.core.spec.paths import scheme_of
from grounding_assets.core.spec.settings import Spec
from grounding_assets.core.spec.shards import spec_of_shard
from resources.dataset import DataSet


def shards_of(spec: Spec, run_id: str = "", is_over: Callable[[str], bool] = lambda run_id: False) -> Shards:
    """Where the data set's shards live, whether or not there are any.

    `run_id` names whoever claims shards; `is_over`: whether a run is known to have ended.
    """
    if scheme_of(spec.results_dir):
        from resources.stored_shards import StoredShards

        return StoredShards(spec.results_dir, run_id, is_over)
    return LocalShards(spec.results_folder)


def shard_size(spec: Spec) -> int:
    """Lines of each shard that the data set is, or is to be, cut into; 0: it is not, and a shard that is opened alone is not."""
    if not scheme_of(spec.results_dir) and is_shard(spec.results_folder):
        return 0
    return shard_size_of(spec, shards_of(spec))


def is_sharded(spec: Spec) -> bool:
    return shard_size(spec) > 0


def manifest_of(spec: Spec) -> Manifest:
    """Raises InputError if the input is not cut yet."""
    shards = shards_of(spec)
    manifest = shards.manifest()
    if manifest is None:
        raise InputError(
            f"The input is not cut into shards in {shards.where} yet: run `auto_label generate`, or materialize `samples`."
        )
    return manifest


def whole_words(spec: Spec) -> str:
    """Asked before the joined files of a data set are read: what lacks in them; empty if nothing does, or it is not cut.

    Raises:
        InputError: they are not of the shards as they are now.
    """
    if not is_sharded(spec):
        return ""
    shards, manifest, steps = shards_of(spec), manifest_of(spec), spec.workflow.run_steps
    if spec.data.shard:
        return read_as_part(shards, manifest, steps, spec.data.shard)
    return read_as_whole(shards, manifest, steps)


def shard_dataset(dataset: DataSet, key: str, folder: Path, limit: int = 0) -> DataSet:
    """One shard as a data set, with `folder` as its results folder and the budget of the whole.

    `limit`: its first lines that a run takes; 0: all.
    """
    entries = shards_of(dataset.spec).grants
    grants = Grants(entries, dataset.spec.workflow) if entries is not None else None
    return DataSet(spec_of_shard(dataset.spec, key, folder, limit), dataset.credentials, grants)


def lines_of_run(spec: Spec, manifest: Manifest) -> dict[str, int]:
    """How many of its first lines a run with this spec is about, by shard; see `Manifest.lines_of_run`."""
    return manifest.lines_of_run(spec.workflow.limit, spec.data.shard)


def has_done_its_part(spec: Spec, manifest: Manifest) -> bool:
    """Whether the shards that a run with this spec is about have all results that it was to make, and none failed."""
    shards = shards_of(spec)
    for key, lines in lines_of_run(spec, manifest).items():
        status = current_status(shards, manifest, key, spec.workflow.run_steps)
        wanted = spec.workflow.sample or lines
        if status.failed or status.done < min(wanted, status.samples):
            return False
    return True


def parts_of(
    dataset: DataSet, *, of_run: bool = False, to_change: bool = False
) -> Generator[DataSet, None, None]:
    """The data sets that this one consists of, each with a results folder: its shards one after another, or itself.

    Args:
        of_run: only those that a run with this spec is about, each with its share of `workflow.limit`.
        to_change: what is changed in them is kept: shards in object storage are claimed meanwhile.

    Raises:
        ShardTaken: another run works on a shard that is to be changed.
    """
    spec = dataset.spec
    if not is_sharded(spec):
        yield dataset
        return
    shards, manifest = shards_of(spec), manifest_of(spec)
    taken = lines_of_run(spec, manifest)
    for key in taken if of_run else manifest.lines_of_run(0, spec.data.shard):
        claim = shards.claimed(key) if to_change and scheme_of(spec.results_dir) else nullcontext()
        with claim, shards.opened(key) as folder:
            yield shard_dataset(dataset, key, folder, taken[key] if of_run and spec.workflow.limit else 0)


def forget_status(results_dir: Path) -> None:
    """Has the next run look at a shard again whose results were changed beside it; of any other folder nothing."""
    (results_dir / STATUS).unlink(missing_ok=True)


def refuse_on_whole(spec: Spec) -> None:
    """Refuses settings that say something of one results folder only.

    Raises:
        SpecError: names the setting, and how to use it on one shard.
    """
    workflow, stored = spec.workflow, scheme_of(spec.results_dir)
    for named, is_set in {
        "vlm.batch.mode": spec.vlm.batch.is_on,
        "workflow.min_recall": workflow.min_recall,
    }.items():
        if is_set and stored:
            raise SpecError(
                f"image_grounding.{named} works on a results folder of this machine, and the results are in object storage: leave it "
                "out, or take a results_dir on this machine."
            )
    refused = {
        f"workflow.sample={workflow.sample}": workflow.sample and not spec.data.shard,
        f"workflow.min_recall={workflow.min_recall:g}": workflow.min_recall,
        f"vlm.batch.mode={spec.vlm.batch.mode}": spec.vlm.batch.is_on,
    }
    for named, is_set in refused.items():
        if is_set:
            raise SpecError(
                f"image_grounding.{named} is about one results folder, and this data set is cut into shards: add "
                "data.shard=00000 to do that with one of them, or leave it out. workflow.limit takes the first lines of all."
            )
    if "0" not in workflow.steps and spec.data.input_jsonl in ("", "???"):
        raise SpecError(
            'A data set that is cut into shards needs image_grounding.data.input_jsonl for steps ["1"], too.'
        )
    if "0" not in workflow.steps and stored:
        raise SpecError(
            'With results in object storage, add "0" to image_grounding.workflow.steps: what is done of it is not asked again.'
        )
    if workflow.redo == "rejected" and stored:
        raise SpecError(
            "image_grounding.workflow.redo=rejected needs reviewers' marks beside the results, and these are in object storage: "
            "leave it out, or take a results_dir on this machine."
        )

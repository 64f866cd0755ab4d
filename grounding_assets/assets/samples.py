"""`samples`: the input is read and checked, and every sample becomes a partition."""

from pathlib import Path

import dagster as dg

from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.errors import SampleFailure, visible
from grounding_assets.core.images.locations import ImageLocation
from grounding_assets.partitions import STANDING_VERSION, DataSetKeys, register_samples

_PROBED_IMAGES = 20


def build_samples(keys: DataSetKeys) -> dg.AssetsDefinition:
    @keys.asset_of_set(
        "samples",
        group_name="input",
        kinds={"jsonl"},
        description="The input JSONL, checked line by line. Every (image, caption) pair becomes one partition; "
        "lines that cannot be used are listed in rejected.jsonl. Next: `annotation_run`.",
    )
    def samples(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        dataset = keys.dataset(context)
        workspace = dataset.workspace()
        added, gone = register_samples(
            context.instance, keys, list(dict.fromkeys(workspace.samples.line_ids))
        )
        found, probed, trouble = _images_found(workspace)
        if not found:
            # a note, so that annotation shows it at the terminal as well
            dataset.notes.append(f"None of the first {probed} images was found; {trouble}")
        for note in dataset.notes:
            context.log.warning(visible(note))
        return dg.MaterializeResult(
            data_version=STANDING_VERSION,
            metadata={
                "lines": len(workspace.samples.line_ids),
                "samples": len(workspace.samples.entries),
                "rejected_lines": workspace.samples.rejected,
                "repeated_lines": workspace.samples.repeated,
                "partitions_added": added,
                "partitions_removed": gone,
                "images_found": f"{found} of the first {probed}",
                "input": dg.MetadataValue.path(str(workspace.samples.path)),
                "rejected": dg.MetadataValue.path(str(workspace.results_dir / "rejected.jsonl")),
            },
        )

    return samples


def _images_found(workspace: Workspace) -> tuple[int, int, str]:
    """How many of how many are there, and what is wrong with the first one that is not."""
    probed = workspace.samples.ids[:_PROBED_IMAGES]
    images = (workspace.image_file(workspace.samples.read(sample_id)) for sample_id in probed)
    troubles = list(filter(None, map(_trouble, images)))
    return len(probed) - len(troubles), len(probed), troubles[0] if troubles else ""


def _trouble(image: ImageLocation) -> str:
    """Empty if the image is there."""
    try:
        if not isinstance(image, Path):
            image.read(1)
            return ""
        if image.is_file():
            return ""
    except SampleFailure as failure:
        return f"the first: {failure}"
    except OSError:
        pass  # such as a name that is too long for the file system: the sample will fail by itself
    return f"the first would be {image}. Set image_grounding.data.image_root to the folder that image_path starts from."

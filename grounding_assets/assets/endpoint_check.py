"""`endpoint_check`: what the endpoint can do and which coordinates it answers in, as an asset."""

import asyncio
from typing import Any

import dagster as dg

from grounding_assets.partitions import STANDING_VERSION, DataSetKeys
from resources.vlm.measuring import consequence


def build_endpoint_check(keys: DataSetKeys) -> dg.AssetsDefinition:
    @keys.asset_of_set(
        "endpoint_check",
        group_name="input",
        kinds={"vlm"},
        description="The endpoint, examined with two calibration cards: reachable, key, model, and the "
        "coordinates its boxes are written in. Runs check this before their first sample. Next: `annotation_run`.",
    )
    def endpoint_check(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        dataset = keys.dataset(context)
        if dataset.spec.vlm.backend == "local":
            return dg.MaterializeResult(
                data_version=STANDING_VERSION, metadata={"endpoint": "none: the embedded teacher annotates"}
            )
        examination = asyncio.run(dataset.examine(context.log.info))
        measured = examination.measurement
        metadata: dict[str, Any] = {f.subject: f"{f.outcome}: {f.detail}" for f in examination.findings}
        problems = [f"{f.subject}: {f.detail}" for f in examination.findings if f.outcome == "failed"]
        if measured is not None:
            metadata |= {"convention": str(measured.convention), "reason": measured.reason}
            metadata |= {f"iou_{name}": iou for name, iou in measured.iou.items()}
            follows = consequence(measured)
            metadata["a_run"] = f"{follows.kind}: {follows.text}"
            if follows.kind == "stops":
                problems.append(follows.text.removesuffix("."))
        if problems:
            raise dg.Failure(f"{'; '.join(problems)}.", metadata=metadata, allow_retries=False)
        return dg.MaterializeResult(data_version=STANDING_VERSION, metadata=metadata)

    return endpoint_check

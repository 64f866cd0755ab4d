"""`endpoint_check`: what the endpoint can do and which coordinates it answers in, as an asset."""

import asyncio
from typing import Any

import dagster as dg

from grounding_assets.core.boxes.calibration import agree
from grounding_assets.partitions import STANDING_VERSION, DataSetKeys
from resources.dataset import DataSet


def build_endpoint_check(keys: DataSetKeys) -> dg.AssetsDefinition:
    @dg.asset(
        key=keys.asset("endpoint_check"),
        group_name="input",
        kinds={"vlm"},
        required_resource_keys={"dataset"},
        backfill_policy=dg.BackfillPolicy.single_run(),
        description="The endpoint, examined with two calibration cards: reachable, key, model, and the "
        "coordinates its boxes are written in. Runs check this by themselves before their first sample.",
    )
    def endpoint_check(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        dataset: DataSet = context.resources.dataset
        if dataset.spec.vlm.backend == "local":
            return dg.MaterializeResult(
                data_version=STANDING_VERSION, metadata={"endpoint": "none: the embedded teacher annotates"}
            )
        examination, expected = asyncio.run(dataset.examine())
        measured = examination.measurement
        metadata: dict[str, Any] = {f.subject: f"{f.outcome}: {f.detail}" for f in examination.findings}
        problems = [f"{f.subject}: {f.detail}" for f in examination.findings if f.outcome == "failed"]
        if measured is not None:
            metadata |= {"convention": str(measured.convention), "reason": measured.reason}
            metadata |= {f"iou_{name}": iou for name, iou in measured.iou.items()}
            if measured.convention is None:
                problems.append(measured.reason)
            elif measured.family != "unknown" and not agree(measured.convention, expected):
                problems.append(
                    f"it answers in {measured.convention}, but family {measured.family} is read as {expected}"
                )
        if problems:
            raise dg.Failure(f"{'; '.join(problems)}.", metadata=metadata, allow_retries=False)
        return dg.MaterializeResult(data_version=STANDING_VERSION, metadata=metadata)

    return endpoint_check

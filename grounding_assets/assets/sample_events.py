"""What Dagster's page of one sample says: what came of a step, or why it failed and what to do about it."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from grounding_assets.assets.markdown import code_span
from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.errors import SampleFailure, visible
from grounding_assets.core.records import Expression
from grounding_assets.core.report import report_file
from grounding_assets.core.steps import Step
from grounding_assets.core.store.checkpoint import Checkpoint
from grounding_assets.partitions import DataSetKeys

_MOST_PHRASES, _MOST_BOXES, _MOST_CHARACTERS = 30, 4, 300
"""Of what is shown: every event is stored."""


def finished(
    checkpoint: Checkpoint, step: Step, keys: DataSetKeys, workspace: Workspace, tags: Mapping[str, str]
) -> dg.AssetMaterialization:
    """The step has a result. No picture is in it, since events are kept for ever: the paths lead to one."""
    provenance, sample_id = checkpoint.provenance, checkpoint.sample_id
    metadata: dict[str, Any] = {
        "caption": visible(checkpoint.cleaned_caption[:_MOST_CHARACTERS]),
        "phrases": dg.MetadataValue.md(_phrases(checkpoint.expressions, boxes=step.gives_boxes)),
        "photo_with_boxes": _picture(sample_id, workspace),
        "expressions": len(checkpoint.expressions),
        "model": str(provenance.get("model", "")),
        "tokens": int(provenance.get("tokens_in", 0)) + int(provenance.get("tokens_out", 0)),
        "seconds": float(provenance.get("seconds", 0.0)),
        "attempts": int(provenance.get("attempts", 0)),
    }
    if step is Step.VERIFICATION:
        metadata |= {f"answered_{answer}": count for answer, count in provenance["answers"].items()}
        metadata["failed_checks"] = len(provenance["failed_checks"])
    if step.gives_boxes:
        metadata["boxes"] = sum(len(e.instances) for e in checkpoint.expressions)
    return dg.AssetMaterialization(
        asset_key=keys.asset(step.asset),
        partition=sample_id,
        metadata=metadata,
        tags={
            # events that are reported explicitly get none of these of their own
            **tags,
            "dagster/data_version": checkpoint.fingerprint,
            "dagster/code_version": str(provenance.get("prompt_version", "")) or "none",
        },
    )


def failed(
    sample_id: str, step: Step, failure: SampleFailure, asset: dg.AssetKey, workspace: Workspace
) -> dg.AssetObservation:
    """The step gave no result, seen from the page of `asset`, which is that of the step or of a later one."""
    return dg.AssetObservation(
        asset_key=asset,
        partition=sample_id,
        description=visible(f"Step {step} failed ({failure.reason}): {failure}")[:_MOST_CHARACTERS],
        metadata={
            "reason": str(failure.reason),
            "message": str(failure),
            "what_to_do": f"{failure.reason.remedy} Then materialize annotation_run: it tries failed samples again.",
            "step": str(step),
            "attempts": failure.attempts,
            "photo": _picture(sample_id, workspace),
            "reply": dg.MetadataValue.path(str(workspace.step(step).store.failed_dir / f"{sample_id}.json")),
        },
    )


def _picture(sample_id: str, workspace: Workspace) -> dg.MetadataValue:
    """Where the photo is shown with its boxes."""
    return dg.MetadataValue.path(visible(f"{report_file(workspace.results_dir)}#{sample_id}"))


def _phrases(expressions: tuple[Expression, ...], *, boxes: bool) -> str:
    lines = [
        f"- {code_span(e.text)}" + (f": {_boxes(e)}" if boxes else "") for e in expressions[:_MOST_PHRASES]
    ]
    more = len(expressions) - _MOST_PHRASES
    return "\n".join([*lines, *([f"- and {more} more"] if more > 0 else [])]) or "none"


def _boxes(expression: Expression) -> str:
    if not expression.instances:
        return str(expression.grounding_status or "no box").replace("_", " ")
    told = [f"{list(i.bbox)} {i.score:.2f}" for i in expression.instances[:_MOST_BOXES]]
    more = len(expression.instances) - _MOST_BOXES
    return ", ".join([*told, *([f"and {more} more"] if more > 0 else [])])

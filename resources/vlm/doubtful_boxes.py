"""Which stored boxes are in doubt, or were never confirmed, by what is kept of their endpoint."""

import time
from pathlib import Path

from grounding_assets.core.dataset.doubtful_results import set_aside
from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.errors import BoxesInDoubt, Reason, SampleFailure
from grounding_assets.core.spec.settings import Spec
from grounding_assets.core.steps import Step
from grounding_assets.core.store.fingerprint import settings_fingerprint
from resources.vlm.control import UNCONFIRMED
from resources.vlm.measurements import Measurement, Measurements
from resources.vlm.resource import endpoint_of, model_name, result_settings

_IN_DOUBT = (
    "{model} did not answer then as it was measured, so that the boxes may be wrong; they are made again."
)


def set_doubtful_aside(
    spec: Spec, results_dir: Path, workspace: Workspace, doubt: BoxesInDoubt | None = None
) -> dict[str, bool]:
    """Sets aside what was stored while the endpoint was in doubt, by `doubt` of this run or by another one.

    Returns the samples of the input, each with whether it was done. Raises RunStopped if something cannot be written.
    """
    known = _measured(spec, results_dir)
    times = [*known.doubts] if known is not None else []
    if doubt is not None:
        times.append((doubt.right_until_ns, time.time_ns()))
    if not times:
        return {}
    why = str(doubt) if doubt is not None else _IN_DOUBT.format(model=model_name(spec))
    last = spec.workflow.run_steps[-1]
    settings = {step: _settings(spec, step) for step in (Step.EXTRACTION, Step.GROUNDING)}
    return {
        sample_id: workspace.is_done(sample_id, last)
        for sample_id in set_aside(workspace, settings, times, SampleFailure(Reason.COORDINATES, why))
        if sample_id in workspace.samples.entries
    }


def doubtful_notes(spec: Spec, results_dir: Path, workspace: Workspace) -> list[str]:
    """Sets aside what earlier or other runs have told to be in doubt; what a user is told of it."""
    aside = set_doubtful_aside(spec, results_dir, workspace)
    if not aside:
        return []
    return [
        f"{len(aside)} samples have boxes from a time when {model_name(spec)} did not answer as it was measured: "
        "they are set aside and made again."
    ]


def has_unconfirmed_boxes(spec: Spec, results_dir: Path) -> bool:
    """Whether a run that made boxes ended before a card told that they are right."""
    known = _measured(spec, results_dir)
    is_measured = known is not None and known.convention is not None and spec.vlm.measure
    return is_measured and not spec.vlm.batch.is_on and (results_dir / UNCONFIRMED).exists()


def _measured(spec: Spec, results_dir: Path) -> Measurement | None:
    if spec.vlm.backend == "local" or Step.GROUNDING not in spec.workflow.run_steps:
        return None
    return Measurements(results_dir).find(*endpoint_of(spec))


def _settings(spec: Spec, step: Step) -> str:
    return settings_fingerprint(result_settings(spec, step))

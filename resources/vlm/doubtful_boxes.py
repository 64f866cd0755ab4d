"""Which stored boxes are in doubt, or were never confirmed, by what is kept of their endpoint."""

from pathlib import Path

from grounding_assets.core.dataset.doubtful_results import set_aside
from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.errors import Reason, SampleFailure
from grounding_assets.core.spec.settings import Spec
from grounding_assets.core.steps import Step
from grounding_assets.core.store.fingerprint import settings_fingerprint
from resources.vlm.measurements import Measurement, Measurements
from resources.vlm.resource import endpoint_of, result_settings

_IN_DOUBT = (
    "{model} did not answer then as it was measured, so that the boxes may be wrong; they are made again."
)


def set_doubtful_aside(spec: Spec, results_dir: Path, workspace: Workspace, why: str = "") -> dict[str, bool]:
    """Sets aside what was stored while the endpoint was in doubt, in this run or in another one.

    Returns the samples, each with whether it was done. Raises RunStopped if something cannot be written.
    """
    known = _measured(spec, results_dir)
    if known is None or not known.doubts:
        return {}
    failure = SampleFailure(Reason.COORDINATES, why or _IN_DOUBT.format(model=known.model))
    last = spec.workflow.run_steps[-1]
    return {
        sample_id: sample_id in workspace.samples.entries and workspace.is_done(sample_id, last)
        for sample_id in set_aside(workspace, _settings(spec), known.doubts, failure)
    }


def has_unconfirmed_boxes(spec: Spec, results_dir: Path, workspace: Workspace) -> bool:
    """Whether boxes were stored after the last right card: by a run that ended before it could ask about one."""
    known = _measured(spec, results_dir)
    if known is None or known.convention is None or not known.asked_as or not spec.vlm.measure:
        return False
    index, settings = workspace.groundings.index, _settings(spec)
    return not spec.vlm.batch.is_on and any(
        index.written_ns(sample_id) > known.confirmed_ns
        and index.entries[sample_id].settings_fingerprint == settings
        for sample_id in index.entries
    )


def _measured(spec: Spec, results_dir: Path) -> Measurement | None:
    if spec.vlm.backend == "local" or Step.GROUNDING not in spec.workflow.run_steps:
        return None
    return Measurements(results_dir).find(*endpoint_of(spec))


def _settings(spec: Spec) -> str:
    return settings_fingerprint(result_settings(spec, Step.GROUNDING))

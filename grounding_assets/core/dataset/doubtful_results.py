"""Results that turn out to be doubtful after they were stored: they are kept aside, and their samples have failed."""

from collections.abc import Iterator

from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.errors import SampleFailure
from grounding_assets.core.steps import Step
from grounding_assets.core.store.sample_locks import Claims


def set_aside(
    workspace: Workspace, step: Step, settings: str, since_ns: int, failure: SampleFailure
) -> Iterator[str]:
    """Sets aside what was made with these settings (their digest) since then (nanoseconds since 1970, by the file).

    Yields the ids of the samples, before the result of each is taken away. What another run is working on is left to it.

    Raises:
        RunStopped: something cannot be written.
    """
    results = workspace.step(step)
    doubtful = [
        sample_id
        for sample_id in workspace.samples.ids
        if results.index.written_ns(sample_id) > since_ns
        and results.index.entries[sample_id].settings_fingerprint == settings
    ]
    with Claims(workspace.results_dir) as claims:
        for sample_id in workspace.samples.ids:
            if workspace.staged.has(sample_id, step) and claims.take(sample_id):
                workspace.staged.drop(sample_id)
                claims.give_up(sample_id)
        for sample_id in doubtful:
            if not claims.take(sample_id):
                continue
            yield sample_id
            results.index.retire(sample_id)
            fingerprint = workspace.next_fingerprint(sample_id, step) or ""
            results.store.save_failure(sample_id, fingerprint, failure)
            claims.give_up(sample_id)
    results.index.flush()

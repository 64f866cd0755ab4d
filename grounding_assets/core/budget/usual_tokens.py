"""How many tokens replies usually have, told from the results that are there: what a job is booked at."""

from collections.abc import Sequence
from itertools import islice

from grounding_assets.core.budget.cost import Usage, project
from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.steps import Step

_LEAST_RESULTS, _MOST_RESULTS = 10, 200


def usual_tokens_out(workspace: Workspace, step: Step, most: int) -> int:
    """Tokens to book for a reply of the step; `most` while there are too few results to tell.

    A job's replies together should take less than that times their number in 97 of 100 cases, see `cost.project`.
    """
    results = workspace.step(step)
    found = (results.store.load(sample_id) for sample_id in islice(results.index.entries, _MOST_RESULTS))
    # what was asked otherwise, such as for boxes at once, says little of a reply's length
    own = workspace.settings.get(step)
    provenances = [
        checkpoint.provenance
        for checkpoint in found
        if checkpoint is not None and own in (None, checkpoint.settings_fingerprint)
    ]
    seen = [
        (provenance["tokens_out"], provenance["calls"])
        for provenance in provenances
        if all(type(provenance.get(name)) is int for name in ("tokens_out", "calls")) and provenance["calls"]
    ]
    return booked_per_reply([round(tokens / calls) for tokens, calls in seen if tokens], most)


def booked_per_reply(tokens_seen: Sequence[int], most: int) -> int:
    """Tokens of a reply that a job is booked at, from those of replies that came."""
    if len(tokens_seen) < _LEAST_RESULTS:
        return most
    predicted = project([Usage(1, 0, tokens) for tokens in tokens_seen], len(tokens_seen)).tokens_out.high
    return min(most, -(-round(predicted) // len(tokens_seen)))

"""What follows from a trouble: waiting, failing, pausing or stopping. Nothing else decides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grounding_assets.core.annotation.calls import Trouble


@dataclass(frozen=True, slots=True)
class Consequence:
    """What follows from one trouble, in words for the documentation, and as the policy reads it."""

    before_success: str
    after_success: str
    stops_at_start: bool = False
    """Before anything has worked, once is enough to stop the run."""
    stops_always: bool = False
    fails_sample: bool = False
    """The call is not tried again."""
    pauses_at_once: bool = False


CONSEQUENCES: Mapping[Trouble, Consequence] = {
    Trouble.REQUEST: Consequence(
        "the sample fails; 20 in a row stop the run", "the sample fails", fails_sample=True
    ),
    Trouble.SAMPLE: Consequence("the sample fails", "the sample fails", fails_sample=True),
    Trouble.SAMPLE_OR_ACCOUNT: Consequence(
        "the sample fails, once another call has worked; if none does, the run stops", "the same"
    ),
    Trouble.ACCOUNT: Consequence("the run stops", "the run stops", stops_always=True),
    Trouble.ENDPOINT: Consequence(
        "the run stops", "as a passing trouble: it has been there before", stops_at_start=True
    ),
    Trouble.PASSING: Consequence(
        "tried again; 5 in a row and 10 s, or 2 and a minute, stop the run",
        "tried again after the longer of backoff and what was asked; if all fail, the run pauses",
    ),
    Trouble.LOADING: Consequence(
        "the run pauses", "the run pauses; tried again if others are answered meanwhile", pauses_at_once=True
    ),
}


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to try. Times in seconds."""

    max_attempts: int = 8
    """Requests for one call at most."""
    max_rate_limited: int = 30
    """Those that were told to come later, which count apart."""
    max_elapsed_s: float = 900
    """Time for one call at most, waiting included; pauses of the run do not count."""
    longest_request_s: float = 600
    """What of one request counts as time for it: a machine may sleep meanwhile."""
    first_wait_s: float = 1.0
    longest_wait_s: float = 60.0
    never_worked: Sequence[tuple[int, float]] = ((5, 10.0), (2, 60.0))
    """Failed attempts in a row, over all samples, and seconds, from which on an endpoint that nothing has come
    from is dead; any pair of them will do."""
    rejected_in_a_row: int = 20
    """The same for requests that are found fault with, before anything has worked."""
    pause_after: int = 5
    """Failed attempts in a row, over all samples and not fewer than are in flight, from which on the run may pause …"""
    pause_after_s: float = 10.0
    """… and does, once nothing has succeeded for so long …"""
    pause_after_limited_s: float = 60.0
    """… or for so long if the last was told to come later."""
    blame_sample_after_s: float = 90.0
    """How long a call that fails alone is tried at least while nothing else succeeds either."""
    in_doubt: int = 3
    """Calls in a row that may mean the account, and not fewer than there are, from which on they do."""
    longest_doubt_s: float = 60.0
    """How long such a call waits for what comes of others."""
    first_pause_s: float = 5.0
    longest_pause_s: float = 60.0
    """Between two requests of a pause."""
    patience_s: float = 3600.0
    """How long a pause may last."""

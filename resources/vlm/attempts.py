"""What one call has come to so far, what all of them have, and when one has had its share."""

import random
from dataclasses import dataclass

from grounding_assets.core.annotation.calls import CallError, ModelReply
from grounding_assets.core.errors import Reason, SampleFailure
from resources.vlm.policy import RetryPolicy


@dataclass(slots=True)
class CallStats:
    """What all calls of a run came to."""

    calls: int = 0
    """Requests sent, retries included."""
    retries: int = 0
    rate_limited: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    thinking_replies: int = 0

    def count(self, reply: ModelReply) -> None:
        self.tokens_in += reply.tokens_in
        self.tokens_out += reply.tokens_out
        self.thinking_replies += reply.thinking


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """The reply, the requests it took, and the seconds of the one that succeeded."""

    reply: ModelReply
    attempts: int
    seconds: float
    batch: str = ""
    """Our id of the batch job that it came from."""


@dataclass(slots=True)
class Attempts:
    """How far one call is. Times in seconds."""

    policy: RetryPolicy
    begun: float
    number: int = 0
    """Requests sent."""
    counted: int = 0
    """Of them, those that failed since the last pause of the run; told to come later not included."""
    rate_limited: int = 0
    spent_s: float = 0.0

    def begin_anew(self) -> None:
        """The run has paused: what failed before it says nothing about this call."""
        self.counted = self.rate_limited = 0
        self.spent_s = 0.0

    def wait_before_next(self, error: CallError, rng: random.Random) -> float:
        """The longer of backoff and what the endpoint asks for."""
        doublings = min(self.counted + self.rate_limited, 30)
        ceiling = min(self.policy.longest_wait_s, self.policy.first_wait_s * 2**doublings)
        wait = rng.uniform(ceiling / 2, ceiling)
        # a little later than asked, so that those who were told the same do not come back together
        return max(wait, (error.retry_after_s or 0) * rng.uniform(1.0, 1.1))

    def count(self, error: CallError) -> None:
        # being told to wait is no failed attempt, but not endless either
        limited = error.reason is Reason.RATE_LIMITED
        self.rate_limited += limited
        self.counted += not limited

    def are_used_up(self, wait: float, *, others_work: bool) -> bool:
        """Whether the call has had its share of requests, or of time with this wait."""
        if (
            self.spent_s + wait > self.policy.max_elapsed_s
            or self.rate_limited >= self.policy.max_rate_limited
        ):
            return True
        # while nothing succeeds at all, it is too early to blame the sample
        enough = others_work or self.spent_s >= self.policy.blame_sample_after_s
        return enough and self.counted >= self.policy.max_attempts

    def failure(self, error: CallError, *, in_doubt: bool = False) -> SampleFailure:
        return SampleFailure(error.reason, str(error), attempts=self.number, in_doubt=in_doubt)

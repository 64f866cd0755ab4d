"""Which request fails, and how: seeded by content, so that a sample fails on chosen attempts in any order.

Here: the names of the faults and the choice. What each looks like on the wire is the kinds' business.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tests.endpoints.wire import roll


class Fault(StrEnum):
    """What can go wrong. Every kind knows all of them, except those marked for Gemini."""

    RATE_LIMITED = "rate_limited"
    """429 that does not say for how long."""
    RATE_LIMITED_SECONDS = "rate_limited_seconds"
    """429 with `Retry-After: <seconds>`."""
    RATE_LIMITED_DATE = "rate_limited_date"
    """429 with `Retry-After: <HTTP date>`; dates have whole seconds, so it is rounded up."""
    RATE_LIMITED_RETRY_INFO = "rate_limited_retry_info"
    """Gemini: 429 with `RetryInfo` in the error's details."""
    RESET = "reset"
    """The connection is reset before any byte of the reply."""
    RESET_MID_REPLY = "reset_mid_reply"
    """The connection is reset after half of the reply."""
    HANG = "hang"
    """No answer until the client gives up."""
    REQUEST_TIMEOUT = "request_timeout"
    """408."""
    CONFLICT = "conflict"
    """409."""
    SERVER_ERROR = "server_error"
    """500."""
    BAD_GATEWAY = "bad_gateway"
    """502 with a proxy's HTML page."""
    UNAVAILABLE = "unavailable"
    """503."""
    UNAUTHORIZED = "unauthorized"
    """401, as of a key that was revoked during the run."""
    FORBIDDEN = "forbidden"
    """403."""
    FLAGGED = "flagged"
    """403 as a gateway with moderation words it: about this sample."""
    BAD_REQUEST = "bad_request"
    """400 that finds fault with this picture."""
    FORBIDDEN_BARE = "forbidden_bare"
    """403 without a word on what is forbidden."""
    OUT_OF_CREDIT = "out_of_credit"
    """402."""
    QUOTA_EXHAUSTED = "quota_exhausted"
    """429 whose words say that waiting does not help."""
    MALFORMED = "malformed"
    """The model's text is no JSON and cannot be mended; finish reason `stop`."""
    GARBAGE_BODY = "garbage_body"
    """200 with a body that is not JSON."""
    NO_CHOICES = "no_choices"
    """200 without any choice or candidate."""
    ERROR_INSIDE = "error_inside"
    """200 with an error in the place of an answer: OpenRouter's `choices[0].error`, Gemini's `error`."""
    EMPTY = "empty"
    """200 with an empty text."""
    TRUNCATED = "truncated"
    """Half of the text, finish reason `length` or `MAX_TOKENS`."""
    TRUNCATED_EMPTY = "truncated_empty"
    """No text at all, finish reason `length` or `MAX_TOKENS` (reasoning took every token)."""
    REFUSED = "refused"
    """OpenAI: `message.refusal`; Gemini: the prompt is blocked."""
    CONTENT_FILTER = "content_filter"
    """OpenAI: finish reason `content_filter`; Gemini: `SAFETY`."""
    RECITATION = "recitation"
    """Gemini."""
    SPII = "spii"
    """Gemini."""
    PROHIBITED_CONTENT = "prohibited_content"
    """Gemini."""
    MALFORMED_RESPONSE = "malformed_response"
    """Gemini."""
    OUT_OF_RANGE = "out_of_range"
    """A well-formed reply whose coordinates leave the frame."""


GEMINI_ONLY = frozenset(
    {
        Fault.RATE_LIMITED_RETRY_INFO,
        Fault.RECITATION,
        Fault.SPII,
        Fault.PROHIBITED_CONTENT,
        Fault.MALFORMED_RESPONSE,
    }
)
HTTP_STATUS: Mapping[Fault, int] = {
    Fault.RATE_LIMITED: 429,
    Fault.RATE_LIMITED_SECONDS: 429,
    Fault.RATE_LIMITED_DATE: 429,
    Fault.RATE_LIMITED_RETRY_INFO: 429,
    Fault.REQUEST_TIMEOUT: 408,
    Fault.CONFLICT: 409,
    Fault.SERVER_ERROR: 500,
    Fault.BAD_GATEWAY: 502,
    Fault.UNAVAILABLE: 503,
    Fault.UNAUTHORIZED: 401,
    Fault.FORBIDDEN: 403,
    Fault.FLAGGED: 403,
    Fault.BAD_REQUEST: 400,
    Fault.FORBIDDEN_BARE: 403,
    Fault.OUT_OF_CREDIT: 402,
    Fault.QUOTA_EXHAUSTED: 429,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One fault and the requests it hits. A request key is the image, the step, the caption, the expressions."""

    fault: Fault
    rate: float = 1.0
    """Share of the matching requests."""
    captions: tuple[str, ...] = ()
    """Only captions that contain one of these; all where empty."""
    step: str = ""
    """Only step "0" or "1"; both where empty."""
    at_most: int | None = None
    """How often one request key is hit; `rate=1, at_most=2` fails each first and second attempt. A rule that
    is used up for a key is as if absent for it, so that rules in a row spell out a sequence of faults."""
    same_every_attempt: bool = False
    """Rolls once per request key instead of per attempt: a chosen share of samples always fails."""
    matches: Callable[[str, str], bool] | None = None
    """Only where `matches(step, caption)`; not available over HTTP."""

    def hits(self, step: str, caption: str) -> bool:
        return (
            self.step in ("", step)
            and (not self.captions or any(part in caption for part in self.captions))
            and (self.matches is None or self.matches(step, caption))
        )


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong at an endpoint. Rates of rules that hit the same request add up; at most one applies."""

    rules: tuple[Rule, ...] = ()
    retry_after: float = 1.0
    """Seconds that a 429 asks to wait."""
    max_in_flight: int | None = None
    """429 for a request that comes while this many are being served."""
    max_per_second: float | None = None
    """429 for what exceeds this many requests in any one second."""
    limit_fault: Fault = Fault.RATE_LIMITED
    """How the two limits answer."""
    seed: int = 0

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Faults":
        """From `{"rules": [{"fault": "hang", "rate": 0.05}], "seed": 1}`; raises on unknown names."""
        fields = dict(document)
        if any("matches" in rule for rule in fields.get("rules", ())):
            raise ValueError("matches is a function: it cannot be given as JSON")
        rules = tuple(
            Rule(**{**rule, "fault": Fault(rule["fault"]), "captions": tuple(rule.get("captions", ()))})
            for rule in fields.pop("rules", ())
        )
        if "limit_fault" in fields:
            fields["limit_fault"] = Fault(fields["limit_fault"])
        return cls(rules=rules, **fields)


class FaultPlan:
    """The faults in force and what they have hit so far; thread-safe."""

    def __init__(self, faults: Faults):
        self._lock = threading.Lock()
        self._attempts: Counter[object] = Counter()
        self._recent: deque[float] = deque()
        self.use(faults)

    def use(self, faults: Faults) -> None:
        """Puts other faults in force; attempts are counted on, hits start at zero."""
        with self._lock:
            self.faults = faults
            self._hits: Counter[object] = Counter()

    def reset(self) -> None:
        with self._lock:
            self._attempts.clear()
            self._hits.clear()
            self._recent.clear()

    def over_limit(self, in_flight: int) -> bool:
        """Whether the burst limits refuse one more request, `in_flight` counting it."""
        faults = self.faults
        if faults.max_in_flight is not None and in_flight > faults.max_in_flight:
            return True
        if faults.max_per_second is None:
            return False
        now = time.monotonic()
        with self._lock:
            while self._recent and self._recent[0] <= now - 1:
                self._recent.popleft()
            if len(self._recent) >= faults.max_per_second:
                return True
            self._recent.append(now)
        return False

    def allowance(self) -> tuple[int, int]:
        """(requests that a second takes, how many of them are left now); a thousand where nothing limits."""
        limit = self.faults.max_per_second
        whole = 1000 if limit is None else int(limit)
        with self._lock:
            return whole, max(0, whole - len(self._recent))

    def choose(self, key: object, step: str, caption: str) -> tuple[int, Fault | None]:
        """Counts one attempt for this key; the attempt's number from 1, and the fault that hits it."""
        with self._lock:
            self._attempts[key] += 1
            attempt = self._attempts[key]
            for sticky in (True, False):
                chance = roll(self.faults.seed, "fault", key, 0 if sticky else attempt)
                for number, rule in enumerate(self.faults.rules):
                    if rule.same_every_attempt is not sticky or not rule.hits(step, caption):
                        continue
                    if rule.at_most is not None and self._hits[number, key] >= rule.at_most:
                        continue
                    if chance < rule.rate:
                        self._hits[number, key] += 1
                        return attempt, rule.fault
                    chance -= rule.rate
        return attempt, None


def spoiled(text: str) -> str:
    """The first half of a text without anything that closes: no parser can make an answer of it."""
    return "".join(c for c in text[: len(text) // 2 + 1] if c not in "\"'`]})>|")

"""Every error that this project raises on purpose, and the closed list of reasons for a failed sample.

A message says what is wrong, where, and what to do, in one or two sentences. It never holds a key.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

EXIT_OK, EXIT_SAMPLES_FAILED, EXIT_WRONG_INPUT = 0, 1, 2
EXIT_WAITING = 3
"""Nothing failed, and samples wait for batch jobs."""
EXIT_BY_SIGNAL = 128
"""Plus the signal's number."""


def visible(text: str) -> str:
    """Text of others, fit for a terminal: control characters, which can act on it, are written as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


class GroundingError(Exception):
    """Root of all errors raised by this project; `str(error)` is fit to show to the user."""

    exit_code = EXIT_SAMPLES_FAILED

    def __init__(self, message: str):
        super().__init__(visible(message))


class SpecError(GroundingError):
    """The spec or an override is wrong; the message names the field."""

    exit_code = EXIT_WRONG_INPUT


class InputError(GroundingError):
    """A file that a run needs as a whole is missing, empty or unreadable; the message names the path."""

    exit_code = EXIT_WRONG_INPUT


class RunStopped(GroundingError):
    """Going on cannot help (wrong key, unknown model, dead endpoint): what is not done stays pending."""

    lets_calls_finish = False
    """Whether calls in flight are waited for, however long they take, since they are paid for."""

    def __init__(self, message: str, exit_code: int = EXIT_SAMPLES_FAILED):
        super().__init__(message)
        self.exit_code = exit_code


class StorageUnavailable(RunStopped):
    """Object storage does not answer, after several attempts: what it holds is neither missing nor damaged."""


class BoxesInDoubt(RunStopped):
    """An endpoint writes boxes otherwise than when it was measured."""

    def __init__(self, model: str, doubt: str, right_until_ns: int):
        """`doubt` says what was seen; results stored until `right_until_ns`, nanoseconds since 1970, are right."""
        since = datetime.fromtimestamp(right_until_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        super().__init__(
            f"{model} no longer answers as it was measured: {doubt}. Another model is served by that name, or a cache "
            f"answers without the picture. Boxes that were made since {since} are set aside as failed: see to the "
            "endpoint, then run again, which measures anew and makes them again."
        )
        self.right_until_ns = right_until_ns


class Interrupted(RunStopped):
    """Somebody asked the run to end (Ctrl-C, SIGTERM)."""

    def __init__(self, signal_number: int):
        super().__init__(
            "Interrupted. Everything finished is kept; the same command goes on from here.",
            EXIT_BY_SIGNAL + signal_number,
        )


class Reason(StrEnum):
    """Why a sample has no result. Written to `failures.jsonl`; the list is part of the output format."""

    IMAGE_MISSING = "image_missing"
    IMAGE_FORBIDDEN = "image_forbidden"
    IMAGE_UNREADABLE = "image_unreadable"
    IMAGE_TOO_LARGE = "image_too_large"
    UNPARSABLE = "unparsable"
    TRUNCATED = "truncated"
    REFUSED = "refused"
    COORDINATES = "coordinates"
    RATE_LIMITED = "rate_limited"
    TIMEOUT = "timeout"
    ENDPOINT_ERROR = "endpoint_error"

    @property
    def remedy(self) -> str:
        """What a user can do about it, in a sentence."""
        return _REMEDIES[self]


_REMEDIES: Mapping[Reason, str] = {
    Reason.IMAGE_MISSING: "Check image_path in the input and image_grounding.data.image_root.",
    Reason.IMAGE_FORBIDDEN: "Let the credentials read it, or set others in the storage's own variables.",
    Reason.IMAGE_UNREADABLE: "Replace the file, or convert it to JPEG or PNG.",
    Reason.IMAGE_TOO_LARGE: "Scale or crop the image.",
    Reason.UNPARSABLE: "Look at the reply; if many samples fail so, take a stronger model.",
    Reason.TRUNCATED: "Raise max_tokens (Gemini: max_output_tokens); a model that repeats itself needs a higher temperature.",
    Reason.REFUSED: "Take another model for this sample, or leave it out of the input.",
    Reason.COORDINATES: "Run `auto_label doctor`, then set image_grounding.vlm.family as it says.",
    Reason.RATE_LIMITED: "Run again later, or lower image_grounding.workflow.max_workers.",
    Reason.TIMEOUT: "Raise the timeout of the endpoint in image_grounding.vlm, or lower workflow.max_workers.",
    Reason.ENDPOINT_ERROR: "The message quotes the endpoint: follow it, or run again later.",
}


class SampleFailure(GroundingError):
    """One sample got no result for one step. It becomes a row, and is tried again by the next run."""

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        replies: Sequence[str] = (),
        attempts: int = 0,
        provenance: Mapping[str, Any] | None = None,
        in_doubt: bool = False,
    ):
        super().__init__(message)
        self.reason = reason
        self.in_doubt = in_doubt
        """Whether the refusal may yet turn out to mean all samples: so it does if the run stops before another
        call has worked, and then the sample has not failed."""
        self.replies = tuple(replies)
        """Raw reply texts that led here, in order; kept in `.failed/` for diagnosis."""
        self.attempts = attempts
        """Requests that were sent for this step of this sample."""
        self.provenance = dict(provenance or {})
        """What a result's provenance would hold, tokens included; empty if nothing was sent."""

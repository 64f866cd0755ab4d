"""What one step of one sample cost, call by call."""

from dataclasses import dataclass, field
from typing import Any

from grounding_assets.core.images.prepared_image import PreparedImage


@dataclass(slots=True)
class Trace:
    """What one step of one sample cost, whatever comes of it."""

    prompt: str
    image: PreparedImage
    calls: int = 0
    by_batch: int = 0
    """Of `calls`, those that a batch answered."""
    attempts: int = 0
    seconds: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0
    replies: list[str] = field(default_factory=list)
    cut: list[int] = field(default_factory=list)
    """Indices of the replies that ended for length."""
    answered_by: list[list[int]] = field(default_factory=list)
    """[first expression, number of expressions, index of the reply that counts] of each part of step 1."""

    def provenance(self) -> dict[str, Any]:
        return {
            "calls": self.calls,
            **({"by_batch": self.by_batch} if self.by_batch else {}),
            "attempts": self.attempts,
            "seconds": round(self.seconds, 3),
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
            **({"cut_replies": self.cut} if self.cut else {}),
        }

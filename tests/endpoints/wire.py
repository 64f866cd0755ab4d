"""What a request and an answer are to every simulated endpoint, whatever its wire format.

Here: the endpoint-independent shapes and the seeded dice. Not here: reading or writing any wire format.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Literal


@dataclass(slots=True)
class Content:
    """The parts of a request that reach the model, in order."""

    texts: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    """Their kinds as sent, such as `["text", "image", "text"]`."""
    image: bytes | None = None
    mime: str = ""
    """As the request declares it; nobody checks it against the bytes."""
    lost_text: bool = False
    """True where the endpoint dropped a text part: the model cannot know what form to answer in."""
    _before_image: int = 0

    def add_text(self, text: str) -> None:
        self.texts.append(text)
        self.parts.append("text")

    def add_image(self, mime: str, image: bytes) -> None:
        self.mime, self.image = mime, image
        self.parts.append("image")
        self._before_image = len(self.texts)

    def keep_texts(self, kept: Sequence[str]) -> None:
        """Puts what the endpoint passes on in the place of the texts sent; the last is the varying one."""
        self.lost_text = len(kept) < len(self.texts)
        self.texts = list(kept)
        self._before_image = len(kept) - 1

    @property
    def varying(self) -> str:
        """The texts that follow the image, or the last one where none does: here stands the question."""
        return "\n".join(self.texts[self._before_image :] or self.texts[-1:])


@dataclass(frozen=True, slots=True)
class Ask:
    """A generation request as the endpoint understood it."""

    model: str
    content: Content = field(default_factory=Content)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Everything else of the body: sampling, response format, thinking. snake_case at the top level."""
    max_tokens: int | None = None
    schema: Mapping[str, Any] | None = None
    """The JSON schema that the endpoint enforces on the reply; `{}` for any JSON; None for free text."""
    thinking_off: bool = False


@dataclass(frozen=True, slots=True)
class Generated:
    """What the model produced for an `Ask`."""

    text: str
    thinking: str = ""
    finish: Literal["stop", "length"] = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    thinking_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """A response body with its status and headers."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] | None = None


class Refusal(Exception):
    """The endpoint answers with an HTTP error; `reason` is its kind's own name for the error."""

    def __init__(self, status: int, message: str, reason: str = ""):
        super().__init__(message)
        self.status = status
        self.message = message
        self.reason = reason


def roll(seed: int, *parts: object) -> float:
    """A number in [0, 1) that depends on the seed and the parts alone, not on order or time."""
    digest = blake2b(repr((seed, *parts)).encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64

"""The seam between step 2 and whatever verifies.

`verification` decides what is asked about which box; `crops` draws.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol

from grounding_assets.core.annotation.teacher import ImageT
from grounding_assets.core.errors import Reason
from grounding_assets.core.images.locations import ImageLocation
from grounding_assets.core.records import PixelBox
from grounding_assets.core.replies.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one question, and what it cost."""

    verdict: Verdict | None
    """None if there is none."""
    reason: Reason | None = None
    """Why there is none."""
    message: str = ""
    replies: tuple[str, ...] = ()
    calls: int = 0
    attempts: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0


class Verifier(Protocol, Generic[ImageT]):
    """Answers multiple-choice questions about boxes that are there already.

    `prepare` blocks and may run on any thread; it raises `SampleFailure` with an `image_*` reason. The
    coroutines run on one event loop. A question that gets no answer is an `Answer` without a verdict, never an
    exception; `RunStopped` is raised if no further question can get one.
    """

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Backend, model, prompt version and settings, as every step's provenance has them."""
        ...

    def prepare(self, image_file: ImageLocation) -> ImageT:
        """Reads the file."""
        ...

    async def verify_box(self, image: ImageT, caption: str, expression: str, box: PixelBox) -> Answer:
        """Is this box, in pixels of the upright original, what the expression refers to?"""
        ...

    async def verify_expression(
        self, image: ImageT, caption: str, expression: str, boxes: Sequence[PixelBox]
    ) -> Answer:
        """Is a box missing beside these? None at all may be given."""
        ...

    async def aclose(self) -> None:
        """Releases connections of its own; called on the event loop that used it."""
        ...

"""The seam between the pipeline and whatever knows how to annotate: a VLM or the embedded teacher."""

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from grounding_assets.core.errors import RunStopped
from grounding_assets.core.images.locations import ImageLocation
from grounding_assets.core.records import Expression, Extraction, Grounding


class TeacherImage(Protocol):
    """An image that a teacher has read and made ready for its own use."""

    @property
    def image_size(self) -> tuple[int, int]:
        """(width, height) in pixels of the upright original."""
        ...

    @property
    def sha256(self) -> str:
        """Hex digest of the file's bytes."""
        ...


ImageT = TypeVar("ImageT", bound=TeacherImage)


class Teacher(Protocol, Generic[ImageT]):
    """What a step needs. Nothing after the teacher knows which one it was.

    `prepare` blocks and may run on any thread, several at once; it is called once per sample. The
    coroutines run on one event loop, several samples at once. All raise `SampleFailure` if this
    sample gets no result, and `RunStopped` if no further sample can.
    """

    @property
    def in_flight_limit(self) -> int | None:
        """Requests that may be in flight at present; None for a teacher that sends none."""
        ...

    def prepare(self, image_file: ImageLocation) -> ImageT:
        """Reads the file; raises `SampleFailure` with an `image_*` reason."""
        ...

    async def extract(self, image: ImageT, caption: str) -> Extraction:
        """Step 0. Every expression satisfies `cleaned_caption[s:e] == text`."""
        ...

    async def ground(
        self, image: ImageT, cleaned_caption: str, expressions: Sequence[Expression]
    ) -> Grounding:
        """Step 1. Returns one expression for each given one, in order, with instances and status."""
        ...

    def stop(self, reason: RunStopped) -> None:
        """Sends nothing more; coroutines that wait raise `reason`. Called on the event loop."""
        ...

    async def aclose(self) -> None:
        """Releases connections; called on the event loop that used the teacher."""
        ...

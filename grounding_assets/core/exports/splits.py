"""Which split an image falls into."""

import hashlib
import math
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from grounding_assets.core.errors import SpecError

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class SplitOptions:
    """Shares of the images, and the seed that deals them out."""

    fractions: Mapping[str, float] = field(default_factory=lambda: {"train": 1.0})
    """By the split's name, which becomes a file name; the fractions add up to 1."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name, fraction in self.fractions.items():
            if not _NAME.fullmatch(name):
                raise SpecError(f"'{name}' cannot name a split: use letters, digits, _ and -.")
            if not 0 < fraction <= 1:
                raise SpecError(f"The fraction of split '{name}' is {fraction}: give more than 0, up to 1.")
        if not math.isclose(sum(self.fractions.values()), 1, abs_tol=1e-9):
            raise SpecError(f"The split's fractions add up to {sum(self.fractions.values()):g} instead of 1.")

    def split_of(self, image: str) -> str:
        """The split of an image, given by `image_identity`.

        A hash of the seed and the image places it on [0, 1), so that all samples of an image share its
        split and no image moves when others are added. Shares therefore hold on average, not exactly.
        """
        digest = hashlib.sha256(f"{self.seed}\0{image}".encode()).digest()
        place = int.from_bytes(digest[:8], "big") / 2**64
        reached = 0.0
        for name, fraction in self.fractions.items():
            reached += fraction
            if place < reached:
                return name
        return list(self.fractions)[-1]


def image_identity(image_path: str) -> str:
    """What makes two samples share an image: the path, however its dots and slashes are written."""
    return posixpath.normpath(image_path)

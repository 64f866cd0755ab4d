"""Which split an image falls into."""

import hashlib
import posixpath

from grounding_assets.core.spec.export_settings import ExportSpec


def split_of(image: str, settings: ExportSpec) -> str:
    """The split of an image, given by `image_identity`.

    A hash of the seed and the image places it on [0, 1), so that all samples of an image share its
    split and no image moves when others are added. Shares therefore hold on average, not exactly.
    """
    digest = hashlib.sha256(f"{settings.seed}\0{image}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    reached = 0.0
    for name, fraction in settings.fractions.items():
        reached += fraction
        if place < reached:
            return name
    return list(settings.fractions)[-1]


def image_identity(image_path: str) -> str:
    """What makes two samples share an image: the path, however its dots and slashes are written."""
    return posixpath.normpath(image_path)

"""Which known photo a received image is, and what humans said is in it.

A photo is recognised from the received pixels alone, so that it may have been resized or re-encoded on the
way. EXIF orientation is ignored, as by servers that do: an image sent sideways is not recognised.
"""

import io
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from tests.corpus import CORPUS, coco24_gold
from tests.endpoints.shapes import Box, Shape, shapes_by_colour

REJECT_ABOVE = 0.05
"""One minus the correlation of two grey thumbnails beyond which they show different photos. Measured on coco24:
the same photo after resizing down to 56 px and JPEG at quality 15 is within 0.015, the same photo mirrored or
turned beyond 0.13, any other beyond 0.24."""

GoldPhoto = tuple[Path | str, Mapping[str, Sequence[tuple[str, str, Sequence[Sequence[float]]]]]]
"""(image file, {caption: [(phrase, noun chunk, boxes as xyxy pixels of the upright image)]})."""


@dataclass(frozen=True, slots=True)
class Phrase:
    text: str
    noun_chunk: str
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class Photo:
    """One known image; `captions` are keyed by the caption with its white space collapsed."""

    name: str
    thumbnail: np.ndarray
    captions: Mapping[str, tuple[Phrase, ...]]

    def phrases(self, caption: str) -> tuple[Phrase, ...] | None:
        """The gold phrases of a caption, or None for a caption that nobody wrote about this photo."""
        return self.captions.get(" ".join(caption.split()))

    def boxes(self, caption: str, text: str) -> tuple[Box, ...]:
        """Boxes of a phrase: as used in this caption, else in any caption of the photo, else none."""
        wanted = " ".join(text.split()).casefold()
        elsewhere = (phrase for phrases in self.captions.values() for phrase in phrases)
        for phrase in (*(self.phrases(caption) or ()), *elsewhere):
            if phrase.text.casefold() == wanted:
                return phrase.boxes
        return ()


@dataclass(frozen=True, slots=True)
class Seen:
    """What the simulated model sees in one received image."""

    size: tuple[int, int]
    """(width, height) in pixels as received."""
    sha256: str
    photo: Photo | None = None
    shapes: Mapping[str, Sequence[Shape]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The same for every encoding of a known photo, so that seeded errors do not depend on it."""
        return self.photo.name if self.photo else self.sha256


def coco24_photos() -> list[GoldPhoto]:
    """The corpus's photos with their `derived_phrases`; captions without any have an empty list."""
    return [(CORPUS / "coco24" / row["file"], _captions(row)) for row in coco24_gold()]


class PhotoAlbum:
    """Recognises received images; thread-safe, each distinct image is looked at once."""

    def __init__(self, gold: Iterable[GoldPhoto], remembered: int = 4096):
        self._photos = [_photo(Path(path), captions) for path, captions in gold]
        self._thumbnails = np.stack([p.thumbnail for p in self._photos]) if self._photos else None
        self._seen: dict[str, Seen] = {}
        self._remembered = remembered
        self._lock = threading.Lock()

    def known(self, digest: str) -> Seen | None:
        """What was seen in an image with this sha256, if it came before."""
        return self._seen.get(digest)

    def look(self, image: bytes) -> Seen:
        """Raises `UnidentifiedImageError` or `OSError` where the bytes are no readable image."""
        digest = sha256(image).hexdigest()
        seen = self._seen.get(digest) or self._look(image, digest)
        with self._lock:
            self._seen[digest] = seen
            while len(self._seen) > self._remembered:
                del self._seen[next(iter(self._seen))]
        return seen

    def nearest(self, picture: Image.Image) -> tuple[Photo | None, float]:
        """The known photo that a picture shows most likely, and how far it is from it."""
        if self._thumbnails is None:
            return None, float("inf")
        distances = ((self._thumbnails - _thumbnail(picture)) ** 2).mean(axis=(1, 2)) / 2
        nearest = int(distances.argmin())
        return self._photos[nearest], float(distances[nearest])

    def _look(self, image: bytes, digest: str) -> Seen:
        with Image.open(io.BytesIO(image)) as opened:
            size = opened.size
            opened.draft("L", (128, 128))
            thumbnail = _thumbnail(opened)
        if self._thumbnails is not None:
            distances = ((self._thumbnails - thumbnail) ** 2).mean(axis=(1, 2)) / 2
            nearest = int(distances.argmin())
            if distances[nearest] <= REJECT_ABOVE:
                return Seen(size, digest, self._photos[nearest])
        return Seen(size, digest, shapes=_shapes_in(image))


@lru_cache(maxsize=128)
def _shapes_in(image: bytes) -> Mapping[str, Sequence[Shape]]:
    """Looked for once a process: each endpoint is shown the same calibration cards."""
    with Image.open(io.BytesIO(image)) as opened:
        return shapes_by_colour(opened)


def _photo(path: Path, captions: Mapping[str, Sequence[tuple[str, str, Sequence[Sequence[float]]]]]) -> Photo:
    (width, height), thumbnail = _size_and_thumbnail(path, path.stat().st_mtime_ns)

    def fractions(box: Sequence[float]) -> Box:
        return box[0] / width, box[1] / height, box[2] / width, box[3] / height

    return Photo(
        path.name,
        thumbnail,
        {
            " ".join(caption.split()): tuple(
                Phrase(text, noun_chunk, tuple(fractions(box) for box in boxes))
                for text, noun_chunk, boxes in phrases
            )
            for caption, phrases in captions.items()
        },
    )


@cache
def _size_and_thumbnail(path: Path, mtime_ns: int) -> tuple[tuple[int, int], np.ndarray]:
    """Of the upright picture; looked at once a process, however many endpoints know it."""
    with Image.open(path) as opened:
        upright = ImageOps.exif_transpose(opened)
        return upright.size, _thumbnail(upright)


def _thumbnail(image: Image.Image) -> np.ndarray:
    """16x16 grey levels with mean 0 and standard deviation 1, flatter images left flatter."""
    grey = np.asarray(image.convert("L").resize((16, 16), Image.Resampling.BOX), dtype=np.float32)
    return (grey - grey.mean()) / max(1.0, float(grey.std()))


def _captions(row: Mapping[str, Any]) -> dict[str, list[tuple[str, str, list[list[float]]]]]:
    captions = {caption: [] for caption in row["captions"]}
    for phrase in row["derived_phrases"]:
        text, category = phrase["text"], phrase["category"]
        noun_chunk = category if category in text else text.split()[-1]
        captions[row["captions"][phrase["caption_index"]]].append((text, noun_chunk, phrase["boxes"]))
    return captions


UNREADABLE = (UnidentifiedImageError, OSError, Image.DecompressionBombError)

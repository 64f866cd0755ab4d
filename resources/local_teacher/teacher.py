"""The embedded default teacher: rules for step 0, a COCO-80 detector for step 1; no key, no network, no cost.

It serves to try the pipeline and to test it. What words mean is decided in `phrases.py`, what is seen in
`detector.py`; here the two meet, and records are made of the result.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from grounding_assets.core.errors import Reason, RunStopped, SampleFailure
from grounding_assets.core.images.locations import ImageLocation
from grounding_assets.core.records import Expression, Extraction, Grounding, GroundingStatus, Instance
from grounding_assets.core.spec.model_settings import LocalSpec
from resources.local_teacher.captions import clean_caption
from resources.local_teacher.detector import (
    CLASS_NAMES,
    INPUT_SIZE,
    MODEL_NAME,
    Detections,
    Detector,
)
from resources.local_teacher.phrases import Reference, find_expressions, is_english, read_reference
from resources.local_teacher.pixels import LocalImage, read_image
from resources.local_teacher.tiles import detect_with_tiles

TEACHER_VERSION = "3"
"""Changes whenever the same image and caption may give another result."""

DEMONSTRATION_NOTICE = (
    f"The embedded teacher is for demonstration: it knows {len(CLASS_NAMES)} kinds of things (COCO's classes) "
    "and gives every other expression no box."
)


class LocalTeacher:
    """Implements `grounding_assets.core.annotation.teacher.Teacher` without a model service; one may serve many threads."""

    def __init__(self, settings: LocalSpec | None = None) -> None:
        self._settings = (settings or LocalSpec()).in_use
        self._detector = Detector()

    @property
    def in_flight_limit(self) -> int | None:
        return None

    def prepare(self, image_file: ImageLocation) -> LocalImage:
        """Reads the picture upright, alpha over white, first frame of several.

        Raises `SampleFailure` with `image_missing`, `image_unreadable` or `image_too_large`.
        """
        return read_image(image_file)

    async def extract(self, image: LocalImage, caption: str) -> Extraction:
        """Step 0 by rule; the picture plays no part in it."""
        return await asyncio.to_thread(self._extract, image, caption)

    async def ground(
        self, image: LocalImage, cleaned_caption: str, expressions: Sequence[Expression]
    ) -> Grounding:
        """Step 1: for each expression the best boxes of the COCO class that its noun names.

        Raises `RunStopped` if the model file is missing.
        """
        return await asyncio.to_thread(self._ground, image, expressions)

    def stop(self, reason: RunStopped) -> None:
        """Nothing is sent, and no step takes longer than an image's detection."""

    async def aclose(self) -> None:
        """Nothing is held open."""

    def _extract(self, image: LocalImage, caption: str) -> Extraction:
        if not caption.strip():
            raise SampleFailure(
                Reason.UNPARSABLE,
                "The embedded teacher cannot describe a photo: give a caption, or set vlm.backend to a real model.",
            )
        started = time.perf_counter()
        cleaned = clean_caption(caption)
        expressions = find_expressions(cleaned)
        language = {"english": is_english(cleaned)}
        return Extraction(cleaned, expressions, self._provenance(image, started) | language)

    def _ground(self, image: LocalImage, expressions: Sequence[Expression]) -> Grounding:
        started = time.perf_counter()
        references = [read_reference(expression.text, expression.noun_chunk) for expression in expressions]
        detections = None
        if any(reference.class_name for reference in references):
            detect = self._detector.detect
            detections = (
                detect_with_tiles(detect, image.pixels) if self._settings.tiles else detect(image.pixels)
            )
        grounded: list[Expression] = []
        for expression, reference in zip(expressions, references, strict=True):
            if detections is None or reference.class_name is None:
                instances, status = (), GroundingStatus.OUT_OF_VOCABULARY
            else:
                instances = self._instances(image, reference, detections.of_class(reference.class_name))
                status = GroundingStatus.BOXED if instances else GroundingStatus.NONE_SEEN
            grounded.append(replace(expression, instances=instances, grounding_status=status))
        return Grounding(tuple(grounded), self._provenance(image, started))

    def _instances(self, image: LocalImage, reference: Reference, seen: Detections) -> tuple[Instance, ...]:
        limit = reference.limit
        threshold = self._settings.single_threshold if limit == 1 else self._settings.plural_threshold
        return tuple(
            Instance(to_pixels(box_norm, image.image_size), round(float(score), 4), "model")
            for box_norm, score in zip(seen.boxes_norm[:limit], seen.scores[:limit], strict=True)
            if score >= threshold
        )

    def _provenance(self, image: LocalImage, started: float) -> dict[str, Any]:
        return {
            "backend": "local",
            "model": MODEL_NAME,
            "teacher_version": TEACHER_VERSION,
            "convention": "yxyx_norm",
            "sent_size": [INPUT_SIZE, INPUT_SIZE],
            "image_sha256": image.sha256,
            "calls": 0,
            "tokens_in": 0,
            "tokens_out": 0,
            "seconds": round(time.perf_counter() - started, 4),
            "settings": self._settings.model_dump(),
        }


def to_pixels(box_norm: np.ndarray, image_size: tuple[int, int]) -> tuple[int, int, int, int]:
    """`x1, y1, x2, y2` as fractions (0 to 1) to whole pixels, at least one wide and high, inside the picture."""
    spans = []
    for low, high, length in zip(box_norm[:2], box_norm[2:], image_size, strict=True):
        start = min(round(float(low) * length), length - 1)
        spans.append((start, max(min(round(float(high) * length), length), start + 1)))
    (x1, x2), (y1, y2) = spans
    return x1, y1, x2, y2

"""Records, failures and photos made from a seed, as many as asked for: shaped like the output files."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from grounding_assets.core.steps import Step

WIDTH, HEIGHT = 640, 480
NOUNS = (
    "man",
    "woman",
    "dog",
    "bicycle",
    "bench",
    "umbrella",
    "tree",
    "bus",
    "kite",
    "horse",
    "table",
    "lamp",
)
COLOURS = ("red", "blue", "old", "small", "wooden", "white", "tall", "striped")
PLACES = ("near the river", "in front of a brick wall", "on a busy street", "under a cloudy sky")


def record(
    position: int, *, caption: str | None = None, phrases: tuple[str, ...] | None = None
) -> dict[str, Any]:
    """One line of `annotations.jsonl`; `phrases` are found in the caption, each with its own boxes."""
    chance = random.Random(position)
    if caption is None or phrases is None:
        phrases = tuple(
            f"a {chance.choice(COLOURS)} {noun}" for noun in chance.sample(NOUNS, chance.randint(1, 4))
        )
        caption = f"{', '.join(phrases)} {chance.choice(PLACES)}.".capitalize()
        phrases = (phrases[0].capitalize(), *phrases[1:])
    sample_id = f"{position:06d}"
    expressions = []
    for index, phrase in enumerate(phrases):
        start = caption.index(phrase)
        boxes = 0 if chance.random() < 0.08 else chance.choice((1, 1, 1, 2, 3))
        expressions.append(
            expression(sample_id, index, phrase, start, [_box(chance) for _ in range(boxes)], chance)
        )
    return annotated(sample_id, caption, expressions, _provenance(chance))


def expression(
    sample_id: str, index: int, text: str, start: int, boxes: list[list[int]], chance: random.Random
) -> dict[str, Any]:
    """One expression with a model score for each of its boxes."""
    expression_id = f"{sample_id}/e{index}"
    return {
        "expression_id": expression_id,
        "text": text,
        "char_span": [start, start + len(text)],
        "noun_chunk": text.split()[-1],
        "span_status": "exact",
        "instances": [
            {
                "bbox_id": f"{expression_id}/b{number}",
                "bbox": box,
                "score": round(chance.betavariate(9, 2), 2),
                "score_source": "model",
            }
            for number, box in enumerate(boxes)
        ],
        "grounding_status": "boxed" if boxes else "none_seen",
    }


def annotated(
    sample_id: str, caption: str, expressions: list[dict[str, Any]], provenance: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A record around these expressions."""
    return {
        "image_id": sample_id,
        "image_path": f"{sample_id}.jpg",
        "caption": caption,
        "width": WIDTH,
        "height": HEIGHT,
        "cleaned_caption": caption,
        "expressions": expressions,
        "source": "image_grounding",
        "pipeline_steps": [step.record_name for step in Step],
        "provenance": provenance or {},
    }


def failure(position: int, reason: str = "unparsable", **changed: Any) -> dict[str, Any]:
    """One line of `failures.jsonl`."""
    sample_id = f"{position:06d}"
    return {
        "sample_id": sample_id,
        "image_id": sample_id,
        "image_path": f"{sample_id}.jpg",
        "caption": "A sample without a result.",
        "step": "1",
        "reason": reason,
        "message": "The reply holds no JSON. Look at the raw reply in .failed.",
        "attempts": 2,
    } | changed


def records(count: int) -> Iterator[dict[str, Any]]:
    return (record(position) for position in range(count))


def failures(count: int) -> Iterator[dict[str, Any]]:
    """Under ids that `records` does not reach."""
    return (failure(900_000 + position) for position in range(count))


def photo_files(folder: Path, count: int) -> list[Path]:
    """JPEG files whose detail, and so whose weight, is about that of photographs."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number in range(count):
        noise = np.random.default_rng(number)
        layers = [
            np.asarray(
                Image.fromarray(noise.integers(0, 256, (h, w, 3), dtype=np.uint8)).resize((WIDTH, HEIGHT))
            )
            for w, h in ((5, 4), (40, 30), (320, 240))
        ]
        mixed = 0.65 * layers[0] + 0.2 * layers[1] + 0.15 * layers[2]
        files.append(folder / f"{number:03d}.jpg")
        Image.fromarray(mixed.astype(np.uint8)).save(files[-1], quality=90)
    return files


def _box(chance: random.Random) -> list[int]:
    left, top = chance.randrange(0, 420), chance.randrange(0, 320)
    return [left, top, left + chance.randrange(30, 220), top + chance.randrange(30, 160)]


def _provenance(chance: random.Random) -> dict[str, Any]:
    def step(prompt_version: str, tokens_out: int) -> dict[str, Any]:
        return {
            "backend": "openai",
            "model": "Qwen/Qwen3-VL-8B-Instruct",
            "prompt_version": prompt_version,
            "convention": "xyxy_1000",
            "sent_size": [WIDTH, HEIGHT],
            "settings": {"temperature": 0.7, "max_tokens": 4096},
            "tokens_in": 900 + chance.randrange(120),
            "tokens_out": tokens_out,
            "attempts": chance.choice((1, 1, 1, 2)),
            "seconds": round(chance.lognormvariate(0, 0.5), 3),
            "image_sha256": f"{chance.getrandbits(256):064x}",
        }

    return {
        "step_0": step("extract-1", chance.randrange(60, 200)),
        "step_1": step("ground-1", chance.randrange(80, 300)),
    }

"""Small pictures with captions and known boxes, as many as a test wants, the same for the same seed."""

import io
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from tests.endpoints.photos import GoldPhoto

SIZE = (160, 128)
"""(width, height) in pixels; multiples of 32, so that nothing is resized on the way."""
_THINGS = ("chair", "table", "dog", "lamp", "bicycle", "kettle", "boat", "ladder", "kite", "clock")
_COLOURS = ("red", "blue", "green", "yellow", "white", "black", "brown", "grey")


@dataclass(frozen=True)
class Pictures:
    """JPEG files in a folder, the input rows about them, and what the simulated model knows of them."""

    folder: Path
    rows: list[dict[str, Any]]
    gold: list[GoldPhoto]


def make_pictures(folder: Path, samples: int, *, captions_each: int = 20, seed: int = 7) -> Pictures:
    """Every caption is unique and names one to three things; a thing has none, one or two boxes."""
    folder.mkdir(parents=True, exist_ok=True)
    dice = random.Random(seed)
    rows: list[dict[str, Any]] = []
    gold: list[GoldPhoto] = []
    for number in range(-(-samples // captions_each)):
        file = folder / f"p{number:04d}.jpg"
        file.write_bytes(_jpeg(dice))
        captions: dict[str, list[tuple[str, str, list[list[float]]]]] = {}
        while len(captions) < min(captions_each, samples - number * captions_each):
            phrases = [_phrase(dice) for _ in range(dice.randint(1, 3))]
            texts = list(dict.fromkeys(text for text, _, _ in phrases))
            caption = f"Picture {number}.{len(captions)}: {' beside '.join(texts)}."
            captions[caption] = [next(p for p in phrases if p[0] == text) for text in texts]
        gold.append((file, captions))
        rows += [{"image_path": file.name, "caption": caption} for caption in captions]
    return Pictures(folder, rows, gold)


def _jpeg(dice: random.Random) -> bytes:
    blocks = Image.frombytes("RGB", (5, 4), dice.randbytes(60))
    stream = io.BytesIO()
    blocks.resize(SIZE, Image.Resampling.NEAREST).save(stream, "JPEG", quality=85)
    return stream.getvalue()


def _phrase(dice: random.Random) -> tuple[str, str, list[list[float]]]:
    thing = dice.choice(_THINGS)
    boxes = [_box(dice) for _ in range(dice.choice((0, 1, 1, 1, 2)))]
    return f"a {dice.choice(_COLOURS)} {thing}", thing, boxes


def _box(dice: random.Random) -> list[float]:
    width, height = SIZE
    x, y = dice.randrange(width - 40), dice.randrange(height - 40)
    return [x, y, x + dice.randint(8, 39), y + dice.randint(8, 39)]

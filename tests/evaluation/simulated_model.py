"""Gold drawn at random, and models of known quality that answer it."""

from typing import Any

import numpy as np

from tests.evaluation.lines import line

NOUNS = ("car", "dog", "tree", "bench", "kite", "cup")
CAPTION = "There is a car, a dog, a tree, a bench, a kite and a cup here."


def drawn_gold(
    rng: np.random.Generator,
    images: int,
    *,
    captions: int = 1,
    absent: float = 0.0,
    expressions: int = len(NOUNS),
) -> list[dict[str, Any]]:
    """Records of up to six expressions each, with one box (none where absent) of 100 to 300 px a side."""
    rows = []
    for image in range(images):
        for number in range(captions):
            caption = CAPTION if captions == 1 else f"{CAPTION} ({number})"
            found = []
            for noun in NOUNS[:expressions]:
                x, y = rng.integers(0, 600, 2)
                w, h = rng.integers(100, 301, 2)
                box = [int(x), int(y), int(x + w), int(y + h)]
                found.append(one(noun, [] if rng.random() < absent else [box], caption))
            rows.append(line(found, image_path=f"{image}.jpg", caption=caption))
    return rows


def one(noun: str, boxes: list[list[int]], caption: str, score: float = 1.0) -> dict[str, Any]:
    start = caption.index(f"a {noun}")
    return {
        "text": f"a {noun}",
        "char_span": [start, start + 2 + len(noun)],
        "noun_chunk": noun,
        "instances": [{"bbox": box, "score": score, "score_source": "model"} for box in boxes],
        "grounding_status": "boxed" if boxes else "none_seen",
    }


def answers(
    rng: np.random.Generator,
    gold: list[dict[str, Any]],
    *,
    shift: float = 0.0,
    drop: float = 0.0,
    swap: float = 0.0,
    invent: float = 0.0,
    forget: float = 0.0,
    score: float = 1.0,
) -> list[dict[str, Any]]:
    """What a model of that quality answers; its errors are independent draws.

    Args:
        shift: boxes move sideways by this share of their width, which makes an IoU of (1 - s) / (1 + s).
        drop: probability that an expression gets no box.
        swap: probability that it gets a box in the far corner, where nothing is, instead.
        invent: probability that an absent expression gets a box.
        forget: probability that an expression is not found in the caption at all.
        score: what it says of every box.
    """
    rows = []
    for record in gold:
        expressions = []
        for row in record["expressions"]:
            noun = row["noun_chunk"]
            boxes = [instance["bbox"] for instance in row["instances"]]
            if rng.random() < forget:
                continue
            if not boxes:
                boxes = [[400, 400, 500, 500]] if rng.random() < invent else []
            elif (dice := rng.random()) < drop:
                boxes = []
            elif dice < drop + swap:
                boxes = [[940, 940, 1000, 1000]]
            else:
                boxes = [moved(box, shift) for box in boxes]
            expressions.append(one(noun, boxes, record["caption"], score))
        rows.append({**record, "expressions": expressions})
    return rows


def moved(box: list[int], share: float) -> list[int]:
    x1, y1, x2, y2 = box
    by = round(share * (x2 - x1))
    return [x1 - by, y1, x2 - by, y2] if x2 + by > 1000 else [x1 + by, y1, x2 + by, y2]

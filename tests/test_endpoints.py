"""A simulated model answers in its family's own form with right boxes, or with errors of a known size.

Asked through the real SDKs over real HTTP. Boxes are decoded here by arithmetic of its own, so that an error
in the simulators cannot cancel out.
"""

import asyncio
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.corpus import CORPUS, coco24_gold, needs_corpus
from tests.endpoints.clients import (
    JSON_SCHEMA,
    Ask,
    content,
    drawn,
    encoded,
    gemini_client,
    once,
    openai_client,
    varying,
)
from tests.endpoints.model import Behaviour
from tests.endpoints.photos import PhotoAlbum, coco24_photos
from tests.endpoints.server import SimulatedEndpoint, running

CAPTION = "A tan toilet and sink combination in a small room."


def boxes_of(text: str, key: str) -> list[list[list[float]]]:
    """Boxes per expression of a JSON reply with nothing but fences around it."""
    document = json.loads(text.removeprefix("```json").removesuffix("```"))
    return [[box[key] for box in entry["boxes"]] for entry in document["expressions"]]


# -- boxes of every family --------------------------------------------------------------------------


def smart_size(width: int, height: int) -> tuple[int, int]:
    """Qwen2.5's resize for photos of ordinary shape, under a cap of 1280 tokens of 28x28."""
    w, h = round(width / 28) * 28, round(height / 28) * 28
    if w * h > 1280 * 784:
        shrink = (width * height / (1280 * 784)) ** 0.5
        w, h = int(width / shrink / 28) * 28, int(height / shrink / 28) * 28
    return w, h


def seen_by_claude(width: int, height: int) -> tuple[float, float]:
    shrink = min(1, 1568 / max(width, height))
    return width * shrink, height * shrink


FRAMES: dict[str, Any] = {  # family: (key of a JSON reply or pattern, y first, frame of a received size)
    "gemini": ("box_2d", True, lambda w, h: (1000, 1000)),
    "qwen2_vl": ("bbox_2d", False, lambda w, h: (1000, 1000)),
    "qwen2_5_vl": ("bbox_2d", False, smart_size),
    "qwen3_vl": ("bbox_2d", False, lambda w, h: (1000, 1000)),
    "internvl": (r"<ref>[^<]*</ref><box>(\[\[.*?\]\])</box>", False, lambda w, h: (1000, 1000)),
    "cosmos_reason1": ("bbox_2d", False, smart_size),
    "cosmos_reason2": ("box_2d", False, lambda w, h: (1000, 1000)),
    "glm_v": ("bbox_2d", False, lambda w, h: (1000, 1000)),
    "gemma": ("box_2d", True, lambda w, h: (1000, 1000)),
    "gpt": ("bbox_2d", False, lambda w, h: (999, 999)),
    "claude": ("bbox_2d", False, seen_by_claude),
    "deepseek_vl2": (r"<\|ref\|>.*?<\|/ref\|><\|det\|>(\[\[.*?\]\])<\|/det\|>", False, lambda w, h: (999, 999)),
    "kimi_vl": ("bbox_2d", False, lambda w, h: (1, 1)),
}  # fmt: skip


def decoded(
    text: str, family: str, sent: tuple[int, int], original: tuple[int, int]
) -> list[list[list[float]]]:
    """The reply's boxes as xyxy pixels of the original image."""
    key, y_first, frame = FRAMES[family]
    if family == "glm_v":
        text = text.split("</think>")[1].split("<|begin_of_box|>")[1].split("<|end_of_box|>")[0]
    found = [json.loads(m) for m in re.findall(key, text)] if "(" in key else boxes_of(text, key)
    sx, sy = (full / edge for full, edge in zip(original, frame(*sent), strict=True))
    turned = [[(b[1], b[0], b[3], b[2]) if y_first else b for b in boxes] for boxes in found]
    return [[[b[0] * sx, b[1] * sy, b[2] * sx, b[3] * sy] for b in boxes] for boxes in turned]


def asked_phrases(row: dict[str, Any]) -> tuple[str, list[Any]]:
    index = row["derived_phrases"][0]["caption_index"]
    return row["captions"][index], [p for p in row["derived_phrases"] if p["caption_index"] == index]


@cache
def sent_photo(number: int) -> tuple[tuple[int, int], bytes]:
    """(size, JPEG) of a photo of the corpus: the first two enlarged to 4000 px, the next two distorted, the others as they are."""
    image = Image.open(CORPUS / "coco24" / coco24_gold()[number]["file"]).convert("RGB")
    if number < 2:
        image = image.resize((4000, round(4000 * image.height / image.width)))
    elif number < 4:
        image = image.resize((1120, 560))
    return image.size, encoded(image, quality=60)


@needs_corpus("coco24")
@pytest.mark.parametrize("family", FRAMES)
def test_each_family_gives_back_human_boxes(family: str) -> None:
    async def ask_about_all(ask: Ask) -> None:
        for number, row in enumerate(coco24_gold()[:8]):
            caption, phrases = asked_phrases(row)
            size, photo = sent_photo(number)
            question = varying(" ".join(caption.split()), [p["text"] for p in phrases])
            reply = content(await ask(question, photo))
            original = (row["width"], row["height"])
            frame = FRAMES[family][2](*size)
            step = [o / f * (0.001 if f == 1 else 1) for o, f in zip(original, frame, strict=True)]
            for got, phrase in zip(decoded(reply, family, size, original), phrases, strict=True):
                assert len(got) == len(phrase["boxes"])
                for box, gold in zip(got, phrase["boxes"], strict=True):
                    off = [abs(a - b) for a, b in zip(box, gold, strict=True)]
                    assert max(off[0::2]) <= step[0] * 0.51 and max(off[1::2]) <= step[1] * 0.51

    async def run(endpoint: SimulatedEndpoint) -> None:
        of_kind = gemini_client if family == "gemini" else openai_client
        async with of_kind(endpoint) as ask:
            await ask_about_all(ask)

    with running(SimulatedEndpoint("gemini" if family == "gemini" else "vllm", family)) as endpoint:
        asyncio.run(run(endpoint))


@needs_corpus("coco24")
def test_step_0_quotes_the_gold_phrases() -> None:
    row = coco24_gold()[1]
    photo = (CORPUS / "coco24" / row["file"]).read_bytes()
    with running(SimulatedEndpoint("vllm", "internvl")) as endpoint:
        known = json.loads(content(once(endpoint, varying(f"  {CAPTION}\n"), photo)))
        unknown = json.loads(content(once(endpoint, varying("a red box by the tree"), photo)))
    assert known == {
        "cleaned_caption": CAPTION,
        "expressions": [
            {"text": "A tan toilet", "noun_chunk": "toilet"},
            {"text": "sink", "noun_chunk": "sink"},
        ],
    }
    assert [e["text"] for e in unknown["expressions"]] == ["a red box", "the tree"]


@needs_corpus("coco24")
def test_a_photo_sent_turned_or_mirrored_is_not_recognised() -> None:
    album = PhotoAlbum(coco24_photos())
    for row in coco24_gold()[::4]:
        image = Image.open(CORPUS / "coco24" / row["file"]).resize((200, 320))
        assert album.look(encoded(image, quality=30)).name == Path(row["file"]).name
        for number, turn in enumerate(Image.Transpose, start=1):
            exif = Image.Exif()
            exif[0x0112] = number
            assert album.look(encoded(image.transpose(turn), exif=exif)).photo is None


SHAPES = {
    "red": (100, 50, 500, 250), "lime": (20, 600, 120, 860), "blue": (700, 400, 900, 800),
    "yellow": (950, 20, 1300, 120), "magenta": (200, 300, 380, 420), "cyan": (420, 640, 640, 700),
    "orange": (1000, 200, 1060, 700), "purple": (1100, 500, 1330, 880), "black": (560, 60, 640, 130),
}  # fmt: skip


@pytest.mark.parametrize("save", [{"form": "PNG"}, {"quality": 75}, {"quality": 40}])
def test_coloured_shapes_are_found_to_a_pixel(save: dict[str, Any]) -> None:
    names = [f"the {'green' if name == 'lime' else name} shape" for name in SHAPES]
    with running(SimulatedEndpoint("vllm", "claude", gold=())) as endpoint:
        reply = once(endpoint, varying("shapes", names), drawn(SHAPES, **save))
    for got, box in zip(boxes_of(content(reply), "bbox_2d"), SHAPES.values(), strict=True):
        assert max(abs(a - b) for a, b in zip(got[0], box, strict=True)) <= 1


# -- how good the model is -------------------------------------------------------------------------


def test_known_errors_have_known_size() -> None:
    names = [f"the red box number {i}" for i in range(400)]

    def reply(**behaviour: Any) -> list[Any]:
        with running(
            SimulatedEndpoint("vllm", "kimi_vl", gold=(), behaviour=Behaviour(**behaviour))
        ) as endpoint:
            return boxes_of(content(once(endpoint, varying("boxes", names))), "bbox_2d")

    true = [100 / 1344, 50 / 896, 500 / 1344, 250 / 896]
    assert reply(drop=0.25) == reply(drop=0.25)
    assert 60 <= sum(not boxes for boxes in reply(drop=0.25)) <= 140
    assert 60 <= sum(abs(boxes[0][0] - true[0]) > 0.3 for boxes in reply(swap=0.25)) <= 140
    moved = [abs(a - b) for boxes in reply(noise=0.03) for a, b in zip(boxes[0], true, strict=True)]
    assert 0.028 < max(moved) <= 0.0306 and 0.013 < sum(moved) / len(moved) < 0.017
    for x1, y1, x2, y2 in (boxes[0] for boxes in reply(jitter=0.1)):
        assert abs(abs(x1 - true[0]) - 0.1 * (true[2] - true[0])) < 0.002
        assert abs(abs(y2 - true[3]) - 0.1 * (true[3] - true[1])) < 0.002
        assert abs((x2 - x1) - (true[2] - true[0])) < 0.002 and y1 < y2


@pytest.mark.parametrize(
    ("family", "options", "behaviour", "expected"),
    [
        ("qwen3_vl", {}, {}, r"```json\n\{.*\}\n```"),
        ("qwen3_vl", {}, {"fences": False}, r"\{.*\}"),
        ("qwen3_vl", {}, {"prose": True, "scores": True}, r"Here is .*\"score\": 0\.\d+.*needed\."),
        ("qwen3_vl", {}, {"thinking": True}, r"<think>.*bbox_2d.*</think>\s+```json.*"),
        ("qwen3_vl", {"response_format": {"type": "json_object"}}, {}, r"\{\"expressions\".*\}"),
        ("internvl", {"response_format": JSON_SCHEMA}, {}, r"\{.*\"my_box\": \[74, .*\"score\".*\}"),
        ("glm_v", {}, {}, r"<think>.*</think>\s*<\|begin_of_box\|>.*<\|end_of_box\|>"),
        ("glm_v", {"extra_body": {"chat_template_kwargs": {"enable_thinking": False}}}, {}, r"<\|begin.*"),
        ("internvl", {}, {"by_id": True}, r"<ref>e0</ref><box>.*<ref>e3</ref><box>\[\]</box>"),
        ("molmo", {}, {}, r"<points x1=\"22\.\d\" y1=\"16\.\d\" alt=\"the red box\">.*</points>"),
        ("empty", {}, {"fences": False}, r"\{\"expressions\": \[\{\"id\": \"e0\", \"boxes\": \[\]\}.*"),
    ],
)  # fmt: skip
def test_how_the_model_talks(family: str, options: Any, behaviour: Any, expected: str) -> None:
    with running(SimulatedEndpoint("vllm", family, gold=(), behaviour=Behaviour(**behaviour))) as endpoint:
        assert re.fullmatch(expected, content(once(endpoint, **options)), re.DOTALL)


def test_random_boxes_are_repeatable_and_wrong() -> None:
    with running(SimulatedEndpoint("vllm", "random", gold=())) as endpoint:
        first, second = (boxes_of(content(once(endpoint)), "bbox_2d") for _ in range(2))
    assert first == second and len({tuple(boxes[0]) for boxes in first}) == 4

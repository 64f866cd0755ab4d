"""Replies whose documents are built otherwise than asked, and words around them.

The outcomes were decided by reading the replies, before the parser was run on them.
"""

import json
from collections.abc import Callable

from tests.core.reply_cases import (
    ASKED,
    BOAT,
    DRAFT,
    FAILS,
    FINAL,
    GULL_1,
    GULLS,
    LIGHT,
    RIGHT,
    Cases,
    by_label,
    envelope,
)

CASES = Cases()
ALT = [300, 300, 400, 420]
EACH = [(ASKED[i], box) for i, boxes in RIGHT.items() for box in boxes]
WHOLE = json.loads(FINAL)


def with_boxes(make: Callable[[list[int]], object]) -> str:
    return envelope(*({"id": i, "boxes": [make(box) for box in boxes]} for i, boxes in RIGHT.items()))


for n, t in enumerate(
    [
        "The image shows a pier. I could not open the drawer, but",
        "Note: the image is slightly blurred.",
        "The upper part of the image is not visible.",
        "The boat is partly outside the image.",
        "Image loaded, 1000 x 1000.",
        "Boxes in the image you provided:",
        "I see the image.",
        "The image is clear.",
        "In the uploaded image:",
        "Here is the annotated image data:",
    ]
):
    CASES.add(f"boxes and {n} {t[:30]}", t + "\n" + FINAL, RIGHT)
for n, t in enumerate(
    [
        "I cannot see the image, so these boxes are placeholders:",
        "Assuming a standard composition as no image was provided:",
        "The image could not be loaded; example output:",
        "Since I don't have access to the image, I made up plausible boxes:",
    ]
):
    CASES.add(f"boxes unseen {n}", t + "\n" + FINAL, FAILS)
CASES.add("placeholder word", "Example output (not actual coordinates):\n" + FINAL, FAILS, RIGHT)
CASES.add(
    "per image list",
    json.dumps({"images": [{"image_id": 0, "expressions": WHOLE["expressions"]}]}),
    RIGHT,
    FAILS,
)
CASES.add(
    "two images lists",
    json.dumps({"images": [{"image_id": 0, **WHOLE}, {"image_id": 1, **json.loads(DRAFT)}]}),
    FAILS,
)
CASES.add("two same images", json.dumps([WHOLE, WHOLE]), RIGHT, FAILS)
CASES.add("frames", json.dumps({"frame_0": WHOLE, "frame_1": json.loads(DRAFT)}), FAILS)
CASES.add(
    "id and index",
    json.dumps({"expressions": [{"index": n, **e} for n, e in enumerate(WHOLE["expressions"])]}),
    RIGHT,
)
CASES.add(
    "id and expression_id differ",
    json.dumps(
        {
            "expressions": [
                {"expression_id": e["id"], "id": n + 7, "boxes": e["boxes"]}
                for n, e in enumerate(WHOLE["expressions"])
            ]
        }
    ),
    RIGHT,
    FAILS,
)
CASES.add(
    "id right expression_id shifted",
    json.dumps(
        {
            "expressions": [
                {"id": e["id"], "expression_id": f"e{n + 1}", "boxes": e["boxes"]}
                for n, e in enumerate(WHOLE["expressions"])
            ]
        }
    ),
    FAILS,
    RIGHT,
)
CASES.add(
    "ref ids in boxes",
    json.dumps({"boxes": [{"expression_id": i, "bbox_2d": b} for i, bs in RIGHT.items() for b in bs]}),
    RIGHT,
    FAILS,
)
CASES.add(
    "objects with expression",
    json.dumps({"objects": [{"expression": t, "bbox_2d": b, "id": n} for n, (t, b) in enumerate(EACH)]}),
    RIGHT,
    FAILS,
)
CASES.add(
    "expressions then boxes separate",
    json.dumps(
        {
            "expressions": [{"id": i, "text": t} for i, t in ASKED.items()],
            "boxes": [{"id": i, "bbox_2d": b} for i, bs in RIGHT.items() for b in bs],
        }
    ),
    RIGHT,
    FAILS,
)
CASES.add(
    "annotations + categories names",
    json.dumps(
        {
            "categories": [{"id": n, "name": t} for n, t in enumerate(ASKED.values())],
            "annotations": [
                {"category_id": 0, "bbox": BOAT},
                {"category_id": 1, "bbox": LIGHT},
                {"category_id": 2, "bbox": GULL_1},
            ],
        }
    ),
    FAILS,
    RIGHT,
)
CASES.add("tuple pairs", json.dumps([[ASKED[i], bs] for i, bs in RIGHT.items()]), RIGHT, FAILS)
CASES.add("tuple pairs single", json.dumps([[t, b] for t, b in EACH]), RIGHT, FAILS)
CASES.add("tuple boxes first", json.dumps([[b, t] for t, b in EACH]), RIGHT, FAILS)
CASES.add(
    "alternating flat", json.dumps([x for i, bs in RIGHT.items() for x in (ASKED[i], bs)]), RIGHT, FAILS
)
CASES.add("alternating flat ids", json.dumps([x for i, bs in RIGHT.items() for x in (i, bs)]), RIGHT, FAILS)
CASES.add(
    "alternating boxes first",
    json.dumps([x for i, bs in RIGHT.items() for x in (bs, ASKED[i])]),
    RIGHT,
    FAILS,
)
CASES.add(
    "keys with colon text", json.dumps({f"{i}: {ASKED[i]}": bs for i, bs in RIGHT.items()}), RIGHT, FAILS
)
CASES.add(
    "keys paraphrased", json.dumps({"boat": [BOAT], "lighthouse tower": [LIGHT], "birds": GULLS}), FAILS
)
CASES.add("keys by position words", json.dumps({"first": [BOAT], "second": [LIGHT], "third": GULLS}), FAILS)
CASES.add("keys bare numbers from 0", json.dumps({"0": [BOAT], "1": [LIGHT], "2": GULLS}), RIGHT, FAILS)
CASES.add("keys bare numbers from 1", json.dumps({"1": [BOAT], "2": [LIGHT], "3": GULLS}), FAILS)
CASES.add("keys box_1", json.dumps({"box_1": BOAT, "box_2": LIGHT, "box_3": GULL_1}), FAILS)
CASES.add(
    "keys expression_1..",
    json.dumps({"expression_1": [BOAT], "expression_2": [LIGHT], "expression_3": GULLS}),
    FAILS,
)
CASES.add(
    "merged dup label different case",
    json.dumps(
        [
            by_label("the white boat", BOAT),
            by_label("The White Boat", ALT),
            by_label("a lighthouse", LIGHT),
            *(by_label("three gulls", g) for g in GULLS),
        ]
    ),
    {"e0": [BOAT, ALT], "e1": [LIGHT], "e2": GULLS},
    FAILS,
)
CASES.add("null entries", json.dumps({"expressions": [*WHOLE["expressions"], None]}), RIGHT, FAILS)
CASES.add("trailing empty object", json.dumps({"expressions": [*WHOLE["expressions"], {}]}), RIGHT, FAILS)
CASES.add(
    "nested expression in envelope string",
    json.dumps({"output": "```json\n" + FINAL + "\n```"}),
    RIGHT,
    FAILS,
)
CASES.add("string with prose", json.dumps({"output": "Here: " + FINAL}), RIGHT, FAILS)
CASES.add("string draft then final", json.dumps({"output": DRAFT + "\nWait: " + FINAL}), RIGHT, FAILS)
CASES.add("json in text field of message", json.dumps([{"type": "text", "text": FINAL}]), RIGHT, FAILS)
CASES.add(
    "reasoning_content + content", json.dumps({"reasoning_content": DRAFT, "content": FINAL}), RIGHT, FAILS
)
CASES.add("thinking field obj + answer", json.dumps({"thinking": json.loads(DRAFT), "answer": WHOLE}), RIGHT)
CASES.add(
    "steps list",
    json.dumps({"steps": [{"step": 1, "result": json.loads(DRAFT)}, {"step": 2, "result": WHOLE}]}),
    RIGHT,
    FAILS,
)
CASES.add(
    "self check verdict", json.dumps({**WHOLE, "verification": {"e0": "ok", "e1": "ok", "e2": "ok"}}), RIGHT
)
CASES.add(
    "self check wrong boxes", json.dumps({**WHOLE, "verification": {"e0": [1, 2, 30, 40]}}), RIGHT, FAILS
)
CASES.add(
    "corrections member", json.dumps({**json.loads(DRAFT), "corrections": WHOLE["expressions"]}), FAILS, RIGHT
)
CASES.add(
    "image dims per entry",
    json.dumps({"expressions": [{**e, "width": 1000, "height": 1000} for e in WHOLE["expressions"]]}),
    RIGHT,
    FAILS,
)
CASES.add("area per box", with_boxes(lambda b: {"bbox_2d": b, "area": (b[2] - b[0]) * (b[3] - b[1])}), RIGHT)
CASES.add(
    "center per box", with_boxes(lambda b: {"bbox_2d": b, "center": [b[0] + 1, b[1] + 1]}), RIGHT, FAILS
)
CASES.add(
    "bbox and bbox_norm",
    with_boxes(lambda b: {"bbox_2d": b, "bbox_normalized": [v / 1000 for v in b]}),
    RIGHT,
    FAILS,
)
CASES.add(
    "bbox and box_2d both",
    with_boxes(lambda b: {"bbox_2d": b, "box_2d": [b[1], b[0], b[3], b[2]]}),
    FAILS,
    RIGHT,
)
CASES.add(
    "bbox and pixel coordinates",
    with_boxes(lambda b: {"bbox_2d": b, "coordinates": [v * 2 for v in b]}),
    FAILS,
    RIGHT,
)
CASES.add(
    "bbox and x1 fields",
    with_boxes(lambda b: {"bbox_2d": b, "x1": b[0], "y1": b[1], "x2": b[2], "y2": b[3]}),
    RIGHT,
    FAILS,
)
CASES.add(
    "box with confidence list",
    json.dumps(
        {"expressions": [{"id": i, "boxes": bs, "scores": [0.9] * len(bs)} for i, bs in RIGHT.items()]}
    ),
    RIGHT,
)
CASES.add(
    "scores fewer",
    json.dumps({"expressions": [{"id": i, "boxes": bs, "scores": [0.9]} for i, bs in RIGHT.items()]}),
    RIGHT,
    FAILS,
)
CASES.add("score inside box", with_boxes(lambda b: [*b, 0.9]), RIGHT, FAILS)
CASES.add("label inside box", with_boxes(lambda b: [*b, "x"]), RIGHT, FAILS)
CASES.add(
    "id inside box", json.dumps({"boxes": [[i, *b] for i, bs in RIGHT.items() for b in bs]}), FAILS, RIGHT
)
CASES.add("label then numbers", json.dumps([[t, *b] for t, b in EACH]), FAILS, RIGHT)
CASES.add("objects keyed by box", json.dumps({str(b): t for t, b in EACH}), FAILS, RIGHT)
CASES.add(
    "box as sets of two",
    with_boxes(lambda b: {"bbox_2d": [{"x": b[0], "y": b[1]}, {"x": b[2], "y": b[3]}]}),
    FAILS,
    RIGHT,
)
CASES.add(
    "quad points objects",
    with_boxes(
        lambda b: {
            "bbox_2d": [
                {"x": b[0], "y": b[1]},
                {"x": b[2], "y": b[1]},
                {"x": b[2], "y": b[3]},
                {"x": b[0], "y": b[3]},
            ]
        }
    ),
    FAILS,
    RIGHT,
)

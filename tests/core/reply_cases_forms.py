"""Replies whose boxes are in other units, orders and keys than asked.

The outcomes were decided by reading the replies, before the parser was run on them.
"""

import json

from tests.core.reply_cases import (
    ASKED,
    BOAT,
    FAILS,
    FINAL,
    GULL_1,
    LIGHT,
    ONE,
    ONE_RIGHT,
    RIGHT,
    Cases,
    by_id,
    envelope,
    with_boat,
)

CASES = Cases()
EACH = [(ASKED[i], box) for i, boxes in RIGHT.items() for box in boxes]


# units, orders
pct = [round(v / 10, 1) for v in BOAT]


def scaled(k):
    return envelope(*(by_id(i, *[[v / k for v in b] for b in bs]) for i, bs in RIGHT.items()))


CASES.add("unit percent declared", {"unit": "percent", **json.loads(scaled(10))}, RIGHT, FAILS)
CASES.add("units % declared", {"units": "%", **json.loads(scaled(10))}, RIGHT, FAILS)
CASES.add(
    "coordinate_system percent",
    {"coordinate_system": "percentage of image size", **json.loads(scaled(10))},
    RIGHT,
    FAILS,
)
CASES.add("format percent", {"bbox_format": "percent", **json.loads(scaled(10))}, RIGHT, FAILS)
CASES.add(
    "normalized declared fractions",
    {"coordinate_system": "normalized", **json.loads(scaled(1000))},
    RIGHT,
    FAILS,
)
CASES.add(
    "prose declares xywh",
    "Boxes as [x, y, width, height]:\n"
    + envelope(*(by_id(i, *[[b[0], b[1], b[2] - b[0], b[3] - b[1]] for b in bs]) for i, bs in RIGHT.items())),
    RIGHT,
    FAILS,
)
CASES.add(
    "prose declares yxyx",
    "Coordinates are in [ymin, xmin, ymax, xmax] format.\n```json\n"
    + envelope(*(by_id(i, *[[b[1], b[0], b[3], b[2]] for b in bs]) for i, bs in RIGHT.items()))
    + "\n```",
    RIGHT,
    FAILS,
)
CASES.add(
    "prose declares percent",
    "All values are percentages of the image width and height.\n" + scaled(10),
    RIGHT,
    FAILS,
)
CASES.add(
    "prose declares xyxy",
    "Coordinates are in [x1, y1, x2, y2] format, normalized to 0-1000.\n" + FINAL,
    RIGHT,
)
CASES.add("side declares order list", {"format": ["x1", "y1", "x2", "y2"], **json.loads(FINAL)}, RIGHT, FAILS)
CASES.add(
    "side declares yxyx list",
    {
        "format": ["ymin", "xmin", "ymax", "xmax"],
        **json.loads(
            envelope(*(by_id(i, *[[b[1], b[0], b[3], b[2]] for b in bs]) for i, bs in RIGHT.items()))
        ),
    },
    RIGHT,
    FAILS,
)
CASES.add(
    "side declares box_format text",
    {
        "box_format": "[x, y, w, h]",
        **json.loads(
            envelope(
                *(by_id(i, *[[b[0], b[1], b[2] - b[0], b[3] - b[1]] for b in bs]) for i, bs in RIGHT.items())
            )
        ),
    },
    RIGHT,
    FAILS,
)
CASES.add(
    "key bbox_xywh",
    [{"label": text, "bbox_xywh": [b[0], b[1], b[2] - b[0], b[3] - b[1]]} for text, b in EACH],
    RIGHT,
    FAILS,
)
CASES.add(
    "key xywh",
    [{"label": text, "xywh": [b[0], b[1], b[2] - b[0], b[3] - b[1]]} for text, b in EACH],
    RIGHT,
    FAILS,
)
CASES.add("key xyxy", [{"label": text, "xyxy": b} for text, b in EACH], RIGHT, FAILS)
CASES.add(
    "key box_yxyx", [{"label": text, "box_yxyx": [b[1], b[0], b[3], b[2]]} for text, b in EACH], RIGHT, FAILS
)
CASES.add(
    "bbox: {xywh}",
    [{"label": text, "bbox": {"xywh": [b[0], b[1], b[2] - b[0], b[3] - b[1]]}} for text, b in EACH],
    RIGHT,
    FAILS,
)
CASES.add(
    "bbox: {format,value}",
    [
        {"label": text, "bbox": {"format": "xywh", "coordinates": [b[0], b[1], b[2] - b[0], b[3] - b[1]]}}
        for text, b in EACH
    ],
    RIGHT,
    FAILS,
)
CASES.add(
    "centre size",
    [
        {"label": text, "center": [(b[0] + b[2]) / 2, (b[1] + b[3]) / 2], "size": [b[2] - b[0], b[3] - b[1]]}
        for text, b in EACH
    ],
    RIGHT,
    FAILS,
)
CASES.add("min max", [{"label": text, "min": b[:2], "max": b[2:]} for text, b in EACH], RIGHT, FAILS)
CASES.add(
    "x1 y1 w h",
    [{"label": text, "x1": b[0], "y1": b[1], "w": b[2] - b[0], "h": b[3] - b[1]} for text, b in EACH],
    RIGHT,
    FAILS,
)
CASES.add("three edges", with_boat({"xmin": 120, "ymin": 210, "xmax": 340}), FAILS)
CASES.add(
    "COCO",
    {
        "images": [{"id": 1, "width": 1000, "height": 1000}],
        "annotations": [
            {
                "id": n,
                "image_id": 1,
                "category_id": c,
                "bbox": [b[0], b[1], b[2] - b[0], b[3] - b[1]],
                "area": (b[2] - b[0]) * (b[3] - b[1]),
                "iscrowd": 0,
            }
            for n, (c, b) in enumerate([(0, BOAT), (1, LIGHT), (2, GULL_1)])
        ],
        "categories": [{"id": n, "name": t} for n, t in enumerate(ASKED.values())],
    },
    RIGHT,
    FAILS,
)
CASES.add(
    "COCO one",
    {
        "annotations": [
            {
                "id": 0,
                "image_id": 0,
                "category_id": 0,
                "bbox": [120, 210, 220, 220],
                "area": 48400,
                "iscrowd": 0,
            }
        ]
    },
    ONE_RIGHT,
    FAILS,
    asked=ONE,
)
CASES.add(
    "COCO one, category name",
    {
        "annotations": [
            {"id": 1, "category": "the white boat", "bbox": [120, 210, 220, 220], "area": 48400, "iscrowd": 0}
        ]
    },
    ONE_RIGHT,
    FAILS,
    asked=ONE,
)
CASES.add(
    "COCO results",
    [{"image_id": 1, "category_id": 0, "bbox": [120, 210, 220, 220], "score": 0.9}],
    ONE_RIGHT,
    FAILS,
    asked=ONE,
)
CASES.add(
    "Label Studio",
    [
        {
            "value": {"x": 12, "y": 21, "width": 22, "height": 22, "rectanglelabels": ["the white boat"]},
            "type": "rectanglelabels",
        }
    ],
    ONE_RIGHT,
    FAILS,
    asked=ONE,
)
CASES.add("YOLO lines", "0 0.23 0.32 0.22 0.22\n1 0.545 0.35 0.09 0.52", FAILS)
CASES.add("YOLO line one", "0 0.23 0.32 0.22 0.22", FAILS, asked=ONE)
CASES.add(
    "Rekognition",
    {
        "Labels": [
            {
                "Name": ASKED[i],
                "Instances": [
                    {
                        "BoundingBox": {
                            "Left": b[0] / 1000,
                            "Top": b[1] / 1000,
                            "Width": (b[2] - b[0]) / 1000,
                            "Height": (b[3] - b[1]) / 1000,
                        },
                        "Confidence": 99.1,
                    }
                    for b in bs
                ],
            }
            for i, bs in RIGHT.items()
        ]
    },
    RIGHT,
    FAILS,
)
CASES.add(
    "Azure",
    {
        "objects": [
            {"rectangle": {"x": b[0], "y": b[1], "w": b[2] - b[0], "h": b[3] - b[1]}, "object": text}
            for text, b in EACH
        ]
    },
    RIGHT,
    FAILS,
)
CASES.add(
    "Vision vertices",
    [
        {
            "name": text,
            "boundingPoly": {
                "normalizedVertices": [
                    {"x": b[0] / 1000, "y": b[1] / 1000},
                    {"x": b[2] / 1000, "y": b[1] / 1000},
                    {"x": b[2] / 1000, "y": b[3] / 1000},
                    {"x": b[0] / 1000, "y": b[3] / 1000},
                ]
            },
        }
        for text, b in EACH
    ],
    RIGHT,
    FAILS,
)

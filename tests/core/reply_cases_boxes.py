"""Boxes written in other ways than asked for.

The outcomes were decided by reading the replies, before the parser was run on them.
"""

import json

from tests.core.reply_cases import (
    ASKED,
    BOAT,
    FINAL,
    GULLS,
    LIGHT,
    ONE,
    RIGHT,
    by_id,
    by_label,
    envelope,
    fails,
    reads,
    reads_or_fails,
    with_boat,
)

BOXES = (
    reads_or_fails(
        "xywh declared for all",
        json.dumps(
            {
                "format": "xywh",
                "expressions": [
                    by_id("e0", [120, 210, 220, 220]),
                    by_id("e1", [500, 90, 90, 520]),
                    by_id("e2", [10, 20, 50, 50], [200, 15, 60, 65], [700, 30, 80, 65]),
                ],
            }
        ),
    ),
    reads_or_fails(
        "cxcywh declared for one",
        json.dumps(
            [
                by_label("the white boat", [230, 320, 220, 220], bbox_format="cxcywh"),
                by_label("a lighthouse", LIGHT),
                *(by_label("three gulls", g) for g in GULLS),
            ]
        ),
    ),
    reads_or_fails(
        "yxyx declared",
        json.dumps(
            [
                by_label(ASKED[i], [b[1], b[0], b[3], b[2]], format="y1x1y2x2")
                for i, boxes in RIGHT.items()
                for b in boxes
            ]
        ),
    ),
    fails(
        "an unknown format declared",
        json.dumps([by_label(ASKED[i], b, format="polar") for i, boxes in RIGHT.items() for b in boxes]),
    ),
    reads(
        "xyxy declared",
        json.dumps([by_label(ASKED[i], b, format="xyxy") for i, boxes in RIGHT.items() for b in boxes]),
    ),
    reads("corners named x1", with_boat({"x1": 120, "y1": 210, "x2": 340, "y2": 430})),
    reads("sides named", with_boat({"left": 120, "top": 210, "right": 340, "bottom": 430})),
    reads_or_fails("points named", with_boat({"top_left": [120, 210], "bottom_right": [340, 430]})),
    reads("width and height named", with_boat({"x": 120, "y": 210, "width": 220, "height": 220})),
    reads_or_fails("centre named", with_boat({"cx": 230, "cy": 320, "w": 220, "h": 220})),
    fails("a share among grid boxes", with_boat([0.12, 0.21, 0.34, 0.43])),
    fails(
        "a grid box among shares",
        envelope(
            by_id("e0", BOAT), by_id("e1", [0.5, 0.09, 0.59, 0.61]), by_id("e2", [0.01, 0.02, 0.06, 0.07])
        ),
    ),
    reads_or_fails(
        "the whole picture as a share among grid boxes",
        with_boat([0, 0, 1, 1]),
        RIGHT | {"e0": [[0, 0, 1000, 1000]]},
    ),
    reads_or_fails(
        "the whole picture as a share, one asked",
        '[{"bbox_2d": [0.0, 0.0, 1.0, 1.0], "label": "the white boat"}]',
        {"e0": [[0, 0, 1000, 1000]]},
        asked=ONE,
    ),
    reads(
        "shares throughout",
        envelope(by_id("e0", [0.12, 0.21, 0.34, 0.43]), by_id("e1", [0.5, 0.09, 0.59, 0.61]), by_id("e2")),
        RIGHT | {"e2": []},
    ),
    reads_or_fails("per cent", with_boat(["12%", "21%", "34%", "43%"])),
    fails("three numbers", with_boat([120, 210, 340])),
    reads_or_fails("the score as a fifth number", with_boat([120, 210, 340, 430, 0.9])),
    fails("six numbers", with_boat([120, 210, 340, 430, 7, 8])),
    fails("null among the numbers", with_boat([120, None, 340, 430])),
    fails("true among the numbers", with_boat([120, 210, True, 430])),
    fails("words for numbers", with_boat(["left", "top", "right", "bottom"])),
    fails("NaN", with_boat([120, 210, float("nan"), 430])),
    fails("infinity", with_boat([120, 210, float("inf"), 430])),
    reads("numbers in one string", with_boat("120, 210, 340, 430")),
    reads_or_fails("numbers in one string with blanks", with_boat("120 210 340 430")),
    fails("underscores in numbers", with_boat(["1_20", "2_10", "3_40", "4_30"])),
    fails("Devanagari digits", with_boat(["१२०", "२१०", "३४०", "४३०"])),
    fails("fullwidth digits in a string", with_boat("１２０, ２１０, ３４０, ４３０")),
    fails("hexadecimal", FINAL.replace("[120, 210, 340, 430]", "[0x78, 0xd2, 0x154, 0x1ae]")),
    fails("fullwidth brackets", FINAL.replace("[120, 210, 340, 430]", "［120，210，340，430］")),
    fails("two commas missing", FINAL.replace("[120, 210, 340, 430]", "[120 210, 340 430]")),
    fails("a decimal comma", FINAL.replace("[120, 210, 340, 430]", "[120,5, 210,0, 340,0, 430,0]")),
    reads("decimals", with_boat([120.0, 210.0, 340.0, 430.0])),
    reads_or_fails("corners as two points", with_boat([[120, 210], [340, 430]])),
    reads_or_fails("four points", with_boat([[120, 210], [340, 210], [340, 430], [120, 430]])),
    reads("nested twice", envelope(by_id("e0", [BOAT]), by_id("e1", LIGHT), by_id("e2", *GULLS))),
    reads("boxes as bare lists", envelope(*({"id": i, "boxes": boxes} for i, boxes in RIGHT.items()))),
    reads(
        "the same box again and again",
        envelope(by_id("e0", *[BOAT] * 40), by_id("e1", LIGHT), by_id("e2", *GULLS)),
    ),
    reads("all zeros", with_boat([0, 0, 0, 0]), RIGHT | {"e0": []}),
    reads(
        "null for a box",
        json.dumps(
            [
                by_label("the white boat", None),
                by_label("a lighthouse", LIGHT),
                *(by_label("three gulls", g) for g in GULLS),
            ]
        ),
        RIGHT | {"e0": []},
    ),
    reads_or_fails(
        "absent in words",
        json.dumps(
            [
                by_label("the white boat", "not visible"),
                by_label("a lighthouse", LIGHT),
                *(by_label("three gulls", g) for g in GULLS),
            ]
        ),
        RIGHT | {"e0": []},
    ),
    reads_or_fails(
        "absent by a flag",
        envelope({"id": "e0", "present": False}, by_id("e1", LIGHT), by_id("e2", *GULLS)),
        RIGHT | {"e0": []},
    ),
    fails(
        "an entry that says nothing of boxes", envelope({"id": "e0"}, by_id("e1", LIGHT), by_id("e2", *GULLS))
    ),
    reads(
        "a part's box inside an entry",
        json.dumps(
            [
                {**by_label("the white boat", BOAT), "parts": [by_label("sail", [150, 220, 300, 400])]},
                by_label("a lighthouse", LIGHT),
                *(by_label("three gulls", g) for g in GULLS),
            ]
        ),
    ),
)

CASES = BOXES

"""Replies whose numbers are odd, are no box, or are missing.

The outcomes were decided by reading the replies, before the parser was run on them.
"""

from tests.core.reply_cases import (
    ASKED,
    BOAT,
    FAILS,
    FINAL,
    GULL_1,
    GULL_2,
    GULL_3,
    GULLS,
    LIGHT,
    RIGHT,
    Cases,
    by_id,
    by_label,
    envelope,
    with_boat,
)

CASES = Cases()
EACH = [(ASKED[i], box) for i, boxes in RIGHT.items() for box in boxes]
NO_GULLS = RIGHT | {"e2": []}


def with_gulls(**members: object) -> str:
    return envelope(by_id("e0", BOAT), by_id("e1", LIGHT), {"id": "e2", **members})


CASES.add("exponent", FINAL.replace("[120, 210, 340, 430]", "[1.2e2, 2.1E2, 3.4e+2, 430e0]"), RIGHT)
CASES.add("exponent strings", with_boat(["1.2e2", "2.1e2", "3.4e2", "4.3e2"]), RIGHT, FAILS)
CASES.add("leading zeros", FINAL.replace("[120, 210, 340, 430]", "[0120, 0210, 0340, 0430]"), RIGHT, FAILS)
CASES.add("plus", FINAL.replace("[120, 210, 340, 430]", "[+120, +210, +340, +430]"), RIGHT, FAILS)
CASES.add("px", with_boat(["120px", "210px", "340px", "430px"]), RIGHT, FAILS)
CASES.add("huge", with_boat([120, 210, 1e300, 430]), FAILS)
CASES.add("digits 400", FINAL.replace("[120, 210, 340, 430]", "[120, 210, 1" + "0" * 400 + ", 430]"), FAILS)
CASES.add("minus big", with_boat([-5000, 210, 340, 430]), FAILS, RIGHT | {"e0": [[0, 210, 340, 430]]})
CASES.add(
    "all pixels of a big photo",
    envelope(
        by_id("e0", [1200, 2100, 3400, 4300]),
        by_id("e1", [5000, 900, 5900, 6100]),
        by_id("e2", [100, 200, 600, 700]),
    ),
    FAILS,
)
CASES.add("inverted", with_boat([340, 430, 120, 210]), RIGHT, FAILS, RIGHT | {"e0": []})
CASES.add("zero width", with_boat([120, 210, 120, 430]), FAILS, RIGHT | {"e0": []})
CASES.add("whole frame", with_boat([0, 0, 1000, 1000]), RIGHT | {"e0": [[0, 0, 1000, 1000]]})
CASES.add(
    "whole frame 999",
    with_boat([0, 0, 999, 999]),
    RIGHT | {"e0": [[0, 0, 999, 999]]},
    RIGHT | {"e0": [[0, 0, 1000, 1000]]},
)
CASES.add("arabic digits", FINAL.replace("[120, 210, 340, 430]", "[١٢٠, ٢١٠, ٣٤٠, ٤٣٠]"), FAILS)
CASES.add("superscript", with_boat(["1²0", "210", "340", "430"]), FAILS)
CASES.add("unicode minus", with_boat(["−3", "210", "340", "430"]), FAILS)
CASES.add("zero width in number", FINAL.replace("[120,", "[1\u200b20,"), FAILS, RIGHT)
CASES.add(
    "nbsp between", FINAL.replace("[120, 210, 340, 430]", "[120,\u00a0210,\u00a0340,\u00a0430]"), RIGHT, FAILS
)
CASES.add("ideographic comma", FINAL.replace("[120, 210, 340, 430]", "[120、210、340、430]"), FAILS)
CASES.add("semicolons", FINAL.replace("[120, 210, 340, 430]", "[120; 210; 340; 430]"), FAILS, RIGHT)
CASES.add("thousands", with_boat(["1,200", "2,100", "3,400", "4,300"]), FAILS)
CASES.add("fraction text", with_boat(["120/1000", "210/1000", "340/1000", "430/1000"]), FAILS, RIGHT)
CASES.add("arithmetic", FINAL.replace("[120, 210, 340, 430]", "[100+20, 210, 340, 430]"), FAILS)
CASES.add("range", FINAL.replace("[120, 210, 340, 430]", "[120-125, 210, 340, 430]"), FAILS)
CASES.add("approx", FINAL.replace("[120, 210, 340, 430]", "[~120, ~210, ~340, ~430]"), FAILS, RIGHT)
CASES.add("nested singles", with_boat([[120], [210], [340], [430]]), FAILS, RIGHT)
CASES.add("index dict", with_boat({"0": 120, "1": 210, "2": 340, "3": 430}), FAILS, RIGHT)
CASES.add("eight", with_boat([120, 210, 340, 210, 340, 430, 120, 430]), FAILS, RIGHT)
CASES.add(
    "two boxes flat",
    envelope(by_id("e0", BOAT), by_id("e1", LIGHT), {"id": "e2", "boxes": [*GULL_1, *GULL_2, *GULL_3]}),
    FAILS,
    RIGHT,
)
CASES.add(
    "box and point", [{**by_label(text, b), "point_2d": [b[0] + 5, b[1] + 5]} for text, b in EACH], RIGHT
)
CASES.add(
    "point only for one",
    envelope({"id": "e0", "point_2d": [230, 320]}, by_id("e1", LIGHT), by_id("e2", *GULLS)),
    FAILS,
)
CASES.add(
    "points list for one",
    envelope({"id": "e0", "points": [[230, 320], [240, 330]]}, by_id("e1", LIGHT), by_id("e2", *GULLS)),
    FAILS,
)
CASES.add(
    "polygon 6",
    envelope(
        {"id": "e0", "polygon": [[120, 210], [200, 205], [340, 210], [340, 430], [200, 440], [120, 430]]},
        by_id("e1", LIGHT),
        by_id("e2", *GULLS),
    ),
    FAILS,
)
CASES.add(
    "polygon under boxes",
    envelope(
        {"id": "e0", "boxes": [{"polygon": [[120, 210], [340, 210], [340, 430], [120, 430]]}]},
        by_id("e1", LIGHT),
        by_id("e2", *GULLS),
    ),
    FAILS,
    RIGHT,
)
CASES.add(
    "segmentation",
    envelope(
        {"id": "e0", "segmentation": [[120, 210, 340, 210, 340, 430]]},
        by_id("e1", LIGHT),
        by_id("e2", *GULLS),
    ),
    FAILS,
)
CASES.add(
    "mask rle",
    envelope(
        {"id": "e0", "mask": {"size": [1000, 1000], "counts": "abc"}}, by_id("e1", LIGHT), by_id("e2", *GULLS)
    ),
    FAILS,
)
CASES.add(
    "mask and boxes empty",
    envelope(
        {"id": "e0", "boxes": [], "polygon": [[120, 210], [340, 210], [340, 430]]},
        by_id("e1", LIGHT),
        by_id("e2", *GULLS),
    ),
    FAILS,
)
CASES.add("obb angle", with_boat({"cx": 230, "cy": 320, "w": 220, "h": 220, "angle": 30}), FAILS, RIGHT)
# e2 oddities
for n, (v, outs) in {
    "count": ({"count": 3}, (FAILS,)),
    "int": ({"boxes": 3}, (FAILS,)),
    "true": ({"boxes": True}, (FAILS,)),
    "false": ({"boxes": False}, (FAILS, NO_GULLS)),
    "dict": ({"boxes": {}}, (FAILS, NO_GULLS)),
    "emptystr": ({"boxes": ""}, (FAILS, NO_GULLS)),
    "none": ({"boxes": "none"}, (NO_GULLS, FAILS)),
    "nonel": ({"boxes": ["none"]}, (NO_GULLS, FAILS)),
    "nulll": ({"boxes": [None]}, (NO_GULLS, FAILS)),
    "emptyobj": ({"boxes": [{}]}, (FAILS, NO_GULLS)),
    "emptybox": ({"boxes": [{"bbox_2d": []}]}, (NO_GULLS, FAILS)),
    "nullbox": ({"boxes": [{"bbox_2d": None, "score": 0}]}, (NO_GULLS, FAILS)),
    "unknown": ({"boxes": "unknown"}, (FAILS,)),
    "unsure": ({"boxes": "unsure"}, (FAILS,)),
    "many": ({"boxes": "too many to list"}, (FAILS,)),
    "same": ({"boxes": "same as e0"}, (FAILS,)),
    "see": ({"boxes": ["see above"]}, (FAILS,)),
    "dots": ({"boxes": ["..."]}, (FAILS,)),
    "na": ({"boxes": "N/A"}, (NO_GULLS, FAILS)),
    "hidden": ({"boxes": "occluded"}, (FAILS, NO_GULLS)),
    "text": ({"boxes": "three boxes"}, (FAILS,)),
    "invisible": (
        {"visible": False, "boxes": [{"bbox_2d": GULL_1}]},
        (FAILS, NO_GULLS, RIGHT | {"e2": [GULL_1]}),
    ),
    "scoreonly": ({"boxes": [{"score": 0.9}]}, (FAILS,)),
    "box key only": ({"boxes": [{"box": "?"}]}, (FAILS,)),
    "ref": ({"boxes": [{"$ref": "#/e0"}]}, (FAILS,)),
    "url": ({"boxes": "https://x/boxes.json"}, (FAILS,)),
    "b64": ({"boxes": "W1tdXQ=="}, (FAILS,)),
    "nan": ({"boxes": float("nan")}, (FAILS,)),
    "notfound": ({"boxes": "Not found."}, (NO_GULLS, FAILS)),
    "unlabelled": ({"boxes": [], "unlabelled": 3}, (NO_GULLS, FAILS)),
}.items():
    CASES.add("e2 " + n, with_gulls(**v), *outs)

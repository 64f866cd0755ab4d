"""Replies whose ids do not say plainly which expression is meant.

The outcomes were decided by reading the replies, before the parser was run on them.
"""

import json

from tests.core.reply_cases import ASKED, BOAT, FAILS, GULLS, LIGHT, RIGHT, Cases, by_id, envelope, identified

CASES = Cases()


# ids
for n, i in {
    "dash": ("E-0", "E-1", "E-2"),
    "hash": ("#0", "#1", "#2"),
    "under": ("e_0", "e_1", "e_2"),
    "colon": ("E:0", "E:1", "E:2"),
    "word id": ("id0", "id1", "id2"),
    "object": ("object_0", "object_1", "object_2"),
    "fstr": ("0.0", "1.0", "2.0"),
    "trailing": ("e0.", "e1.", "e2."),
    "quoted": ('"e0"', '"e1"', '"e2"'),
    "angle": ("<e0>", "<e1>", "<e2>"),
    "zero width": ("e0\u200b", "e1\u200b", "e2\u200b"),
    "fullwidth": ("ｅ０", "ｅ１", "ｅ２"),
}.items():
    CASES.add("ids " + n, identified(*i), RIGHT, FAILS)
for n, i in {
    "roman": ("i", "ii", "iii"),
    "letters": ("a", "b", "c"),
    "strings from one": ("1", "2", "3"),
    "e from one": ("e1", "e2", "e3"),
    "comma": ("e0,e1", "e2", "e3"),
    "uuid": ("a0f1", "b1c2", "c2d3"),
    "cyrillic": ("е0", "е1", "е5"),
    "negative": (-1, 0, 1),
    "minus": ("e-0", "e-1", "e-3"),
    "ten": ("e0", "e10", "e20"),
    "huge": ("e99999999999999999999", "e1", "e2"),
}.items():
    CASES.add("ids " + n, identified(*i), FAILS)
CASES.add(
    "ids null, texts",
    envelope(
        *({"id": None, "text": ASKED[i], "boxes": [{"bbox_2d": b} for b in bs]} for i, bs in RIGHT.items())
    ),
    RIGHT,
)
CASES.add("ids reversed order", envelope(by_id("e2", *GULLS), by_id("e1", LIGHT), by_id("e0", BOAT)), RIGHT)
CASES.add("id is text", identified(*ASKED.values()), RIGHT)
CASES.add(
    "ids from one, labels right",
    envelope(
        *(
            {"id": n + 1, "label": ASKED[i], "boxes": [{"bbox_2d": b} for b in bs]}
            for n, (i, bs) in enumerate(RIGHT.items())
        )
    ),
    RIGHT,
)
CASES.add(
    "id list",
    envelope(
        {"id": ["e0"], "boxes": [{"bbox_2d": BOAT}]},
        {"id": ["e1"], "boxes": [{"bbox_2d": LIGHT}]},
        {"id": ["e2"], "boxes": [{"bbox_2d": b} for b in GULLS]},
    ),
    RIGHT,
    FAILS,
)
CASES.add(
    "two ids one box",
    envelope({"ids": ["e0", "e1"], "boxes": [{"bbox_2d": BOAT}]}, by_id("e2", *GULLS)),
    FAILS,
)
CASES.add(
    "inner ids are indices",
    envelope(
        *(
            {"id": i, "boxes": [{"id": n, "bbox_2d": b, "score": 0.9} for n, b in enumerate(bs)]}
            for i, bs in RIGHT.items()
        )
    ),
    RIGHT,
    FAILS,
)
CASES.add(
    "inner ids are indices from 1",
    envelope(
        *(
            {"id": i, "boxes": [{"id": n + 1, "bbox_2d": b, "score": 0.9} for n, b in enumerate(bs)]}
            for i, bs in RIGHT.items()
        )
    ),
    RIGHT,
    FAILS,
)
CASES.add(
    "inner ids under text",
    json.dumps(
        [
            {"text": ASKED[i], "instances": [{"id": n, "bbox": b} for n, b in enumerate(bs)]}
            for i, bs in RIGHT.items()
        ]
    ),
    RIGHT,
    FAILS,
)
CASES.add(
    "inner ids under map",
    json.dumps({ASKED[i]: [{"id": n, "bbox": b} for n, b in enumerate(bs)] for i, bs in RIGHT.items()}),
    RIGHT,
    FAILS,
)
CASES.add(
    "inner ids under id map",
    json.dumps({i: [{"id": n, "bbox": b} for n, b in enumerate(bs)] for i, bs in RIGHT.items()}),
    RIGHT,
    FAILS,
)
CASES.add(
    "flat list, id is running number, label right",
    json.dumps(
        [
            {"id": n, "label": label, "bbox": b}
            for n, (label, b) in enumerate(
                [("the white boat", BOAT), ("a lighthouse", LIGHT)] + [("three gulls", g) for g in GULLS]
            )
        ]
    ),
    RIGHT,
)
CASES.add(
    "flat list, reversed, running ids",
    json.dumps(
        [
            {"id": n, "label": label, "bbox": b}
            for n, (label, b) in enumerate(
                [("three gulls", g) for g in GULLS] + [("a lighthouse", LIGHT), ("the white boat", BOAT)]
            )
        ]
    ),
    RIGHT,
    FAILS,
)
CASES.add(
    "inner labels",
    envelope(
        *(
            {
                "id": i,
                "boxes": [{"label": f"{ASKED[i].split()[-1]} {n}", "bbox_2d": b} for n, b in enumerate(bs)],
            }
            for i, bs in RIGHT.items()
        )
    ),
    RIGHT,
    FAILS,
)
CASES.add(
    "inner text is OCR",
    envelope(
        by_id("e0"), {"id": "e1", "boxes": [{"bbox_2d": LIGHT, "text": "KEEP OUT"}]}, by_id("e2", *GULLS)
    ),
    RIGHT | {"e0": []},
)

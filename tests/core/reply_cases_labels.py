"""Replies whose labels do not say plainly which expression is meant.

The outcomes were decided by reading the replies, before the parser was run on them.
"""

import json

from tests.core.reply_cases import (
    ASKED,
    BOAT,
    FAILS,
    FINAL,
    GULLS,
    LIGHT,
    RIGHT,
    THREE,
    Cases,
    by_id,
    by_label,
    envelope,
    labelled,
)

CASES = Cases()
EACH = [(ASKED[i], box) for i, boxes in RIGHT.items() for box in boxes]
ALT = [300, 300, 400, 420]


CASES.add(
    "label score behind",
    labelled("the white boat 0.95", "a lighthouse 0.91", *["three gulls 0.8"] * 3),
    RIGHT,
    FAILS,
)
CASES.add(
    "label score colon",
    labelled("the white boat: 0.95", "a lighthouse: 0.91", *["three gulls: 0.8"] * 3),
    RIGHT,
    FAILS,
)
CASES.add(
    "label place",
    labelled("the white boat (left)", "a lighthouse (center)", *["three gulls (sky)"] * 3),
    RIGHT,
    FAILS,
)
CASES.add(
    "label numbered before",
    labelled("1. the white boat", "2. a lighthouse", "3. three gulls", "3. three gulls", "3. three gulls"),
    RIGHT,
    FAILS,
)
CASES.add(
    "label object n",
    labelled("object 1: the white boat", "object 2: a lighthouse", *["object 3: three gulls"] * 3),
    RIGHT,
    FAILS,
)
CASES.add("label snake", labelled("the_white_boat", "a_lighthouse", *["three_gulls"] * 3), RIGHT, FAILS)
CASES.add("label hyphen", labelled("the-white-boat", "a-lighthouse", *["three-gulls"] * 3), RIGHT, FAILS)
CASES.add("label camel", labelled("TheWhiteBoat", "Lighthouse", *["ThreeGulls"] * 3), RIGHT, FAILS)
CASES.add("label x3", labelled("the white boat x1", "a lighthouse x1", *["three gulls x3"] * 3), RIGHT, FAILS)
CASES.add(
    "label singular indexed",
    labelled("the white boat", "a lighthouse", "gull 1", "gull 2", "gull 3"),
    RIGHT,
    FAILS,
)
CASES.add(
    "label ordinal",
    labelled("the white boat", "a lighthouse", "first gull", "second gull", "third gull"),
    RIGHT,
    FAILS,
)
CASES.add("one translated", labelled("the white boat", "un phare", *THREE), FAILS)
CASES.add(
    "label bilingual",
    labelled("白色的船 (the white boat)", "灯塔 (a lighthouse)", *["三只海鸥 (three gulls)"] * 3),
    RIGHT,
    FAILS,
)
CASES.add(
    "label zh en",
    json.dumps([{"label_zh": "船", "label_en": text, "bbox_2d": b} for text, b in EACH]),
    RIGHT,
    FAILS,
)
CASES.add("label typo", labelled("the whte boat", "a lighthouse", *THREE), RIGHT, FAILS)
CASES.add("label swapped by colour", labelled("the black boat", "a lighthouse", *THREE), FAILS)
CASES.add("label negated", labelled("not the white boat", "a lighthouse", *THREE), FAILS)
CASES.add("label number other", labelled("the white boat", "a lighthouse", *["3 boats"] * 3), FAILS)
CASES.add("label two lighthouses", labelled("the white boat", "two lighthouses", *THREE), FAILS)
CASES.add("counts only", {"the white boat": 1, "a lighthouse": 1, "three gulls": 3}, FAILS)
CASES.add(
    "counts beside",
    {"counts": {"the white boat": 1, "a lighthouse": 1, "three gulls": 3}, **json.loads(FINAL)},
    RIGHT,
)
CASES.add("counts list", [{"label": ASKED[i], "count": len(b)} for i, b in RIGHT.items()], FAILS)
CASES.add(
    "counts with all boxes in one",
    {"labels": {"the white boat": 1, "a lighthouse": 1, "three gulls": 3}, "boxes": [BOAT, LIGHT, *GULLS]},
    FAILS,
)
CASES.add(
    "label list of each",
    [
        {"labels": ["the white boat", "boat"], "bbox": BOAT},
        {"labels": ["a lighthouse", "tower"], "bbox": LIGHT},
        *({"labels": ["three gulls", "bird"], "bbox": g} for g in GULLS),
    ],
    RIGHT,
    FAILS,
)
CASES.add(
    "label of two asked",
    [
        {"labels": ["the white boat", "a lighthouse"], "bbox": BOAT},
        *({"label": "three gulls", "bbox": g} for g in GULLS),
    ],
    FAILS,
)
DOGS = {"e0": "a dog", "e1": "a dog on the sofa"}
CASES.add(
    "nested texts",
    [by_label("a dog on the sofa", LIGHT), by_label("a dog", BOAT)],
    {"e0": [BOAT], "e1": [LIGHT]},
    asked=DOGS,
)
CASES.add(
    "nested texts indexed",
    [by_label("dog 1", LIGHT), by_label("dog 2", BOAT)],
    {"e0": [LIGHT, BOAT], "e1": []},
    FAILS,
    asked=DOGS,
)
TWINS = {"e0": "a dog", "e1": "a dog"}
CASES.add(
    "same texts by id",
    "Here:\n" + envelope(by_id("e0", BOAT), by_id("e1", LIGHT)),
    {"e0": [BOAT], "e1": [LIGHT]},
    asked=TWINS,
)
CASES.add(
    "same texts numbered",
    [by_label("a dog 1", BOAT), by_label("a dog 2", LIGHT)],
    {"e0": [BOAT], "e1": [LIGHT]},
    {"e0": [BOAT, LIGHT], "e1": [BOAT, LIGHT]},
    FAILS,
    asked=TWINS,
)
QUOTES = {"e0": 'the "stop" sign', "e1": "a man's hat", "e2": "x\\y"}
QUOTES_RIGHT = {"e0": [BOAT], "e1": [LIGHT], "e2": [ALT]}
CASES.add(
    "texts with quotes",
    [by_label('the "stop" sign', BOAT), by_label("a man's hat", LIGHT), by_label("x\\y", ALT)],
    QUOTES_RIGHT,
    asked=QUOTES,
)
CASES.add(
    "texts with quotes unescaped",
    '[{"label": "the "stop" sign", "bbox_2d": [120, 210, 340, 430]}, {"label": "a man\'s hat", "bbox_2d": [500, 90, 590, 610]}, {"label": "x\\\\y", "bbox_2d": [300, 300, 400, 420]}]',
    QUOTES_RIGHT,
    FAILS,
    asked=QUOTES,
)
CASES.add(
    "texts python repr",
    str([by_label('the "stop" sign', BOAT), by_label("a man's hat", LIGHT), by_label("x\\y", ALT)]),
    QUOTES_RIGHT,
    FAILS,
    asked=QUOTES,
)
KEYS = {"e0": "boxes", "e1": "labels"}
CASES.add(
    "texts are keys, map",
    {"boxes": [BOAT], "labels": [LIGHT]},
    {"e0": [BOAT], "e1": [LIGHT]},
    FAILS,
    asked=KEYS,
)
CASES.add(
    "texts are keys, list",
    [by_label("boxes", BOAT), by_label("labels", LIGHT)],
    {"e0": [BOAT], "e1": [LIGHT]},
    asked=KEYS,
)
NUMBERS = {"e0": "7", "e1": "10"}
CASES.add(
    "texts are numbers",
    [by_label("7", BOAT), by_label("10", LIGHT)],
    {"e0": [BOAT], "e1": [LIGHT]},
    asked=NUMBERS,
)
CASES.add(
    "texts are numbers, ints",
    [by_label(7, BOAT), by_label(10, LIGHT)],
    {"e0": [BOAT], "e1": [LIGHT]},
    FAILS,
    asked=NUMBERS,
)
EXCHANGED = {"e0": "1", "e1": "0"}
CASES.add(
    "texts are exchanged ids, by id prose",
    "Here: " + envelope(by_id("e0", BOAT), by_id("e1", LIGHT)),
    {"e0": [BOAT], "e1": [LIGHT]},
    FAILS,
    asked=EXCHANGED,
)
CASES.add(
    "texts are exchanged ids, by label",
    [by_label("1", BOAT), by_label("0", LIGHT)],
    {"e0": [BOAT], "e1": [LIGHT]},
    FAILS,
    asked=EXCHANGED,
)
BUILDING = {"e0": "E1", "e1": "a bus"}
CASES.add(
    "text E1",
    "Here: " + envelope(by_id("e0", BOAT), by_id("e1", LIGHT)),
    {"e0": [BOAT], "e1": [LIGHT]},
    FAILS,
    asked=BUILDING,
)
CASES.add(
    "emoji rtl",
    [by_label("🐈 cat", BOAT), by_label("\u202bقطة\u202c", LIGHT)],
    {"e0": [BOAT], "e1": [LIGHT]},
    FAILS,
    asked={"e0": "🐈 cat", "e1": "قطة"},
)

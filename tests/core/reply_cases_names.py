"""Replies that name expressions in their own way: ids, labels, lists.

The outcomes were decided by reading the replies, before the parser was run on them.
"""

import json

from tests.core.reply_cases import (
    ASKED,
    BOAT,
    GULL_1,
    GULLS,
    LIGHT,
    ONE,
    RIGHT,
    THREE,
    by_id,
    by_label,
    envelope,
    fails,
    identified,
    labelled,
    reads,
    reads_or_fails,
)

IDS = (
    reads("ids padded with zeros", identified("e00", "e01", "e02")),
    reads("ids as integers", identified(0, 1, 2)),
    reads("ids spelled out", identified("expression_0", "Expression 1", "EXPRESSION-2")),
    reads("ids in blanks and capitals", identified(" E0", "E1 ", " e2 ")),
    reads_or_fails("ids in brackets", identified("[e0]", "(e1)", "e2.")),
    reads_or_fails("ids behind the sample's", identified("boats/e0", "boats/e1", "boats/e2")),
    reads_or_fails("ids in Arabic digits", identified("e٠", "e١", "e٢")),
    reads_or_fails("ids as floats", identified(0.0, 1.0, 2.0)),
    fails("ids counted from one", identified(1, 2, 3)),
    fails("ids shifted by one", identified("e1", "e2", "e3")),
    fails("ids shifted by ten", identified("e10", "e11", "e12")),
    reads(
        "ids shifted, texts right",
        envelope(
            by_id("e1", BOAT, text="the white boat"),
            by_id("e2", LIGHT, text="a lighthouse"),
            by_id("e3", *GULLS, text="three gulls"),
        ),
    ),
    reads(
        "ids exchanged, labels right",
        envelope(
            by_id("e1", BOAT, label="the white boat"),
            by_id("e0", LIGHT, label="a lighthouse"),
            by_id("e2", *GULLS, label="three gulls"),
        ),
    ),
    reads(
        "one id for all, texts right",
        envelope(
            by_id("e0", BOAT, text="The white boat"),
            by_id("e0", LIGHT, text="lighthouse"),
            by_id("e0", *GULLS, text="3 gulls"),
        ),
    ),
    fails(
        "ids shifted, texts translated",
        envelope(
            by_id("e1", BOAT, text="das weiße Boot"),
            by_id("e2", LIGHT, text="ein Leuchtturm"),
            by_id("e3", *GULLS, text="drei Möwen"),
        ),
    ),
    reads_or_fails(
        "ids right, texts translated",
        envelope(
            by_id("e0", BOAT, text="le bateau blanc"),
            by_id("e1", LIGHT, text="un phare"),
            by_id("e2", *GULLS, text="trois mouettes"),
        ),
    ),
    reads(
        "ids and labels mixed",
        json.dumps([by_id("e0", BOAT), by_label("a lighthouse", LIGHT), by_id("e2", *GULLS)]),
    ),
    reads(
        "an id too many, every expression mentioned",
        envelope(by_id("e0", BOAT), by_id("e1", LIGHT), by_id("e2", *GULLS), by_id("e7", BOAT)),
    ),
    fails("an id nobody asked in place of another", identified("e0", "e7", "e2")),
    reads_or_fails(
        "id and text in an object of their own",
        json.dumps(
            [{"expression": {"id": i, "text": ASKED[i]}, "boxes": boxes} for i, boxes in RIGHT.items()]
        ),
    ),
)

LABELS = (
    reads("number as a digit", labelled("the white boat", "a lighthouse", *["3 gulls"] * 3)),
    reads(
        "index in brackets",
        labelled("the white boat", "a lighthouse", "three gulls (1)", "three gulls (2)", "three gulls (3)"),
    ),
    reads(
        "index behind a hash or an underscore",
        labelled("the white boat", "a lighthouse", "three gulls #1", "three gulls_2", "three gulls 3"),
    ),
    reads("id before the text", labelled("e0: the white boat", "e1: a lighthouse", *["e2: three gulls"] * 3)),
    reads_or_fails(
        "id before the text, other marks",
        labelled("[e0] the white boat", "e1 - a lighthouse", *["(e2) three gulls"] * 3),
    ),
    fails("id before the text of another", labelled("e0: das Boot", "e9: Turm", *["e2: three gulls"] * 3)),
    reads("other articles", labelled("a white boat", "the lighthouse", *["the three gulls"] * 3)),
    reads("no articles, capitals", labelled("White Boat", "LIGHTHOUSE", *["Three Gulls"] * 3)),
    reads("curly quotes", labelled("“the white boat”", "‘a lighthouse’", *["three gulls"] * 3)),
    reads("bold", labelled("**the white boat**", "*a lighthouse*", *["three gulls"] * 3)),
    reads("blanks doubled", labelled("the  white boat", " a lighthouse ", *["three\u00a0gulls"] * 3)),
    fails("paraphrase", labelled("the sailing vessel", "a lighthouse", *THREE)),
    fails("translation to Spanish", labelled("el barco blanco", "un faro", *["tres gaviotas"] * 3)),
    fails("translation to Chinese", labelled("白色的船", "灯塔", *["三只海鸥"] * 3)),
    fails("words added", labelled("the white boat near the shore", "a lighthouse", *THREE)),
    fails("two expressions in one label", labelled("the white boat and a lighthouse", "sea", *THREE)),
    reads_or_fails("singular of a plural", labelled("the white boat", "a lighthouse", *["gull"] * 3)),
    fails("another number", labelled("the white boat", "a lighthouse", *["two gulls"] * 3)),
    reads(
        "expressions that end in a number",
        json.dumps([by_label("bus 1", BOAT), by_label("bus 2", LIGHT)]),
        {"e0": [BOAT], "e1": [LIGHT]},
        asked={"e0": "bus 1", "e1": "bus 2"},
    ),
    fails(
        "a number that no expression ends in",
        json.dumps([by_label("bus 1", BOAT), by_label("bus 3", LIGHT)]),
        asked={"e0": "bus 1", "e1": "bus 2"},
    ),
    reads(
        "expressions that differ by article, written in full",
        json.dumps([by_label("the dog", BOAT), by_label("a dog", LIGHT)]),
        {"e0": [LIGHT], "e1": [BOAT]},
        asked={"e0": "a dog", "e1": "the dog"},
    ),
    fails(
        "expressions that differ by article, written without",
        json.dumps([by_label("dog", BOAT), by_label("dog", LIGHT)]),
        asked={"e0": "a dog", "e1": "the dog"},
    ),
    reads(
        "Chinese asked, Chinese answered",
        json.dumps([by_label("白色的船", BOAT), by_label("灯塔。", LIGHT)], ensure_ascii=False),
        {"e0": [BOAT], "e1": [LIGHT]},
        asked={"e0": "白色的船", "e1": "灯塔"},
    ),
    reads(
        "accents in the other normal form",
        json.dumps([by_label("un cafe\u0301", BOAT), by_label("la STRASSE", LIGHT)]),
        {"e0": [BOAT], "e1": [LIGHT]},
        asked={"e0": "un caf\u00e9", "e1": "la straße"},
    ),
    reads(
        "an expression with tags in its text",
        json.dumps([by_label("a sign <left>", BOAT), by_label("</think>", LIGHT)]),
        {"e0": [BOAT], "e1": [LIGHT]},
        asked={"e0": "a sign <left>", "e1": "</think>"},
    ),
)

LISTS = (
    reads(
        "parallel lists",
        json.dumps({"bboxes": [BOAT, LIGHT, *GULLS], "labels": ["the white boat", "a lighthouse", *THREE]}),
    ),
    fails(
        "more labels than boxes",
        json.dumps({"boxes": [BOAT, LIGHT, GULL_1], "labels": ["the white boat", "a lighthouse", *THREE]}),
    ),
    fails(
        "more boxes than names",
        json.dumps({"names": ["the white boat", "a lighthouse"], "boxes": [BOAT, LIGHT, *GULLS]}),
    ),
    fails(
        "more labels than boxes, of the one that was asked about",
        json.dumps({"bboxes": [BOAT, LIGHT], "labels": ["the white boat"] * 3}),
        asked=ONE,
    ),
    reads(
        "parallel lists under a task's name",
        json.dumps(
            {
                "<OD>": {
                    "bboxes": [BOAT, LIGHT, *GULLS],
                    "labels": ["the white boat", "a lighthouse", *THREE],
                }
            }
        ),
    ),
    fails("as many boxes as expressions, without names", json.dumps([BOAT, LIGHT, GULL_1])),
    reads_or_fails("a list for each expression, without names", json.dumps([[BOAT], [LIGHT], GULLS])),
    fails("objects without names", json.dumps([{"bbox_2d": box} for box in [BOAT, LIGHT, GULL_1]])),
    fails("some names, some not", json.dumps([by_label("the white boat", BOAT), {"bbox_2d": LIGHT}])),
    reads("map from text", json.dumps({ASKED[i]: boxes for i, boxes in RIGHT.items()})),
    reads(
        "map from text to objects",
        json.dumps({ASKED[i]: [{"bbox": box, "score": 0.8} for box in boxes] for i, boxes in RIGHT.items()}),
    ),
)

CASES = IDS + LABELS + LISTS

"""Replies that name expressions in their own way: ids, labels, lists, several under one name.

The outcomes were decided by reading the replies, before the parser was run on them.
"""

import json

from tests.core.reply_cases import (
    ASKED,
    BOAT,
    DRAFT,
    E0,
    E1,
    E2,
    FINAL,
    GULL_1,
    GULL_2,
    GULL_3,
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

JOINED = (
    reads("a line for each expression", f"{E0}\n{E1}\n{E2}"),
    reads(
        "a line for each expression, one absent",
        f'{E0}\n{{"id": "e1", "boxes": []}}\n{E2}',
        RIGHT | {"e1": []},
    ),
    reads(
        "a line for each box",
        "\n".join(
            json.dumps(by_label(label, box))
            for label, box in [
                ("the white boat", BOAT),
                ("a lighthouse", LIGHT),
                *(("three gulls", gull) for gull in GULLS),
            ]
        ),
    ),
    reads(
        "a list for each label",
        f"Boat:\n{json.dumps([by_label('the white boat', BOAT)])}\nTower:\n"
        f"{json.dumps([by_label('a lighthouse', LIGHT)])}\nBirds:\n"
        f"{json.dumps([by_label('three gulls', gull) for gull in GULLS])}",
    ),
    reads(
        "the last entry corrected",
        f"{envelope(by_id('e0', BOAT), by_id('e1', LIGHT), by_id('e2', [1, 1, 9, 9]))}\n"
        f"Correction, the birds are here:\n{envelope(by_id('e2', *GULLS))}",
    ),
    reads(
        "a correction by its label",
        f"```json\n{envelope(by_id('e0', [1, 2, 30, 40]), by_id('e1', LIGHT), by_id('e2', *GULLS))}\n```\n"
        f"Sorry, better:\n```json\n{json.dumps([by_label('white boat', BOAT)])}\n```",
    ),
    reads(
        "a correction to nothing",
        f'{FINAL}\nOn second thoughts there is no lighthouse:\n{{"id": "e1", "boxes": []}}',
        RIGHT | {"e1": []},
    ),
    reads("the same document twice", f"{FINAL}\n{FINAL}"),
    reads("two documents side by side, the last counts", f"{DRAFT}\n\n{FINAL}"),
    reads(
        "an entry for each box in one document",
        envelope(by_id("e0", BOAT), by_id("e1", LIGHT), *(by_id("e2", gull) for gull in GULLS)),
    ),
    reads_or_fails(
        "a fence for each, unnamed but for the heading",
        f"### e0\n```json\n{[BOAT]}\n```\n### e1\n```json\n{[LIGHT]}\n```\n### e2\n```json\n{GULLS}\n```",
    ),
    reads("objects after commas, no brackets around", f"{E0}, {E1}, {E2}"),
)

PLAIN_NAMES = (
    reads(
        "lines of name and boxes", f"the white boat: {[BOAT]}\na lighthouse: {[LIGHT]}\nthree gulls: {GULLS}"
    ),
    reads(
        "bullets in bold",
        f"- **the white boat**: {BOAT}\n- **a lighthouse**: {LIGHT}\n- **three gulls**: {GULLS}",
    ),
    reads("numbered lines", f"1. the white boat: {BOAT}\n2. a lighthouse: {LIGHT}\n3. three gulls: {GULLS}"),
    reads_or_fails(
        "dashes between", f"the white boat — {BOAT}\na lighthouse – {LIGHT}\nthree gulls - {GULLS}"
    ),
    reads_or_fails("equals signs", f"e0 = {BOAT}\ne1 = {LIGHT}\ne2 = {GULLS}"),
    reads_or_fails(
        "id and name", f"e0 (the white boat): {BOAT}\ne1 (a lighthouse): {LIGHT}\ne2 (three gulls): {GULLS}"
    ),
    reads_or_fails(
        "Chinese colons", f"the white boat：{[BOAT]}\na lighthouse：{[LIGHT]}\nthree gulls：{GULLS}"
    ),
    reads_or_fails(
        "a sentence",
        f"The white boat is at {BOAT}, a lighthouse is at {LIGHT}, and three gulls are at {GULL_1}, {GULL_2} and {GULL_3}.",
    ),
    reads_or_fails(
        "a name line for each box",
        f"the white boat: {BOAT}\na lighthouse: {LIGHT}\n"
        + "\n".join(f"three gulls: {gull}" for gull in GULLS),
    ),
    reads_or_fails(
        "boxes after commas",
        f"the white boat: {BOAT}\na lighthouse: {LIGHT}\nthree gulls: {GULL_1}, {GULL_2}, {GULL_3}",
    ),
    fails("other names in lines", f"boat: {BOAT}\ntower: {LIGHT}\nbirds: {GULLS}"),
    fails("one line has another name", f"the white boat: {BOAT}\ntower: {LIGHT}\nthree gulls: {GULLS}"),
    fails("numbers for names", f"1: {BOAT}\n2: {LIGHT}\n3: {GULLS}"),
    fails("no names at all", f"{BOAT}\n{LIGHT}\n{GULL_1}"),
    reads_or_fails(
        "a table of names",
        f"| the white boat | {BOAT} |\n| a lighthouse | {LIGHT} |\n| three gulls | {GULLS} |",
    ),
    fails(
        "a table of columns",
        "| label | x1 | y1 | x2 | y2 |\n|---|---|---|---|---|\n| the white boat | 120 | 210 | 340 | 430 |",
    ),
    reads_or_fails(
        "comma-separated values", "id,x1,y1,x2,y2\ne0,120,210,340,430\ne1,500,90,590,610", RIGHT | {"e2": []}
    ),
    reads_or_fails(
        "YAML", f"- id: e0\n  bbox: {BOAT}\n- id: e1\n  bbox: {LIGHT}\n- id: e2\n  boxes: {GULLS}"
    ),
    reads_or_fails(
        "a line that says none",
        f"the white boat: {BOAT}\na lighthouse: none\nthree gulls: {GULLS}",
        RIGHT | {"e1": []},
    ),
    reads_or_fails("a Python assignment", f"```python\nboxes = {json.dumps(RIGHT)}\nprint(boxes)\n```"),
)

CASES = IDS + LABELS + LISTS + JOINED + PLAIN_NAMES

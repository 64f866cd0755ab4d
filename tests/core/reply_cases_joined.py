"""Replies that put several expressions under one name, or give names and boxes without the envelope.

The outcomes were decided by reading the replies, before the parser was run on them.
"""

import json

from tests.core.reply_cases import (
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
    RIGHT,
    by_id,
    by_label,
    envelope,
    fails,
    reads,
    reads_or_fails,
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

CASES = JOINED + PLAIN_NAMES

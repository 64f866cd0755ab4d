"""Replies to step 1 that do not obey, each with the outcome it must have.

Boxes in the replies are x-first on a 0-1000 grid of a picture of 1000 x 1000 pixels, so a box that
is read comes out with the numbers it was written with. The outcomes were decided by reading the
replies, before the parser was run on them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Boxes = dict[str, list[list[int]]]

ASKED = {"e0": "the white boat", "e1": "a lighthouse", "e2": "three gulls"}
BOAT = [120, 210, 340, 430]
LIGHT = [500, 90, 590, 610]
GULL_1, GULL_2, GULL_3 = [10, 20, 60, 70], [200, 15, 260, 80], [700, 30, 780, 95]
GULLS = [GULL_1, GULL_2, GULL_3]
RIGHT: Boxes = {"e0": [BOAT], "e1": [LIGHT], "e2": GULLS}
ONE = {"e0": "the white boat"}
ONE_RIGHT: Boxes = {"e0": [BOAT]}

FAILS = "fails"
"""No result: asked again, then `unparsable`."""
CUT = "truncated"
"""No result: asked again with more room."""


@dataclass(frozen=True)
class Case:
    """One reply, what it answers, and every outcome that is right."""

    name: str
    reply: str
    outcomes: tuple[Boxes | str, ...]
    asked: Mapping[str, str] = field(default_factory=lambda: ASKED)
    ended_for_length: bool = False


class Cases(list[Case]):
    """A table of cases."""

    def add(self, name: str, reply: object, *outcomes: Boxes | str, **more: Any) -> None:
        text = reply if isinstance(reply, str) else json.dumps(reply, ensure_ascii=False)
        self.append(Case(name, text, outcomes, **more))


def envelope(*entries: object) -> str:
    return json.dumps({"expressions": list(entries)}, ensure_ascii=False)


def by_id(expression_id: object, *boxes: object, **more: object) -> dict[str, object]:
    return {"id": expression_id, "boxes": [{"bbox_2d": box, "score": 0.9} for box in boxes], **more}


def by_label(label: object, box: object, **more: object) -> dict[str, object]:
    return {"label": label, "bbox_2d": box, **more}


def labelled(boat: str, light: str, *gulls: str) -> str:
    """The list that many models answer with, under these labels."""
    pairs = [(boat, BOAT), (light, LIGHT), *zip(gulls, GULLS, strict=True)]
    return json.dumps([by_label(label, box) for label, box in pairs], ensure_ascii=False)


def identified(*ids: object) -> str:
    return envelope(*(by_id(i, *boxes) for i, boxes in zip(ids, RIGHT.values(), strict=True)))


FINAL = identified("e0", "e1", "e2")
DRAFT = envelope(by_id("e0", [1, 2, 30, 40]), by_id("e1", [5, 6, 70, 80]), by_id("e2", [9, 9, 33, 33]))
E0, E1, E2 = (json.dumps(by_id(expression, *boxes)) for expression, boxes in RIGHT.items())
THREE = ("three gulls",) * 3


def reads(name: str, reply: str, boxes: Boxes | None = None, **more: object) -> Case:
    return Case(name, reply, (RIGHT if boxes is None else boxes,), **more)  # type: ignore[arg-type]


def fails(name: str, reply: str, **more: object) -> Case:
    return Case(name, reply, (FAILS,), **more)  # type: ignore[arg-type]


def cut(name: str, reply: str, **more: object) -> Case:
    return Case(name, reply, (CUT,), **more)  # type: ignore[arg-type]


def reads_or_fails(name: str, reply: str, boxes: Boxes | None = None, **more: object) -> Case:
    return Case(name, reply, (RIGHT if boxes is None else boxes, FAILS), **more)  # type: ignore[arg-type]


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


def spaced(box: list[int]) -> str:
    return " ".join(map(str, box))


def tokens(box: list[int]) -> str:
    return "".join(f"<{value}>" for value in box)


def corners(box: list[int]) -> str:
    return f"({box[0]},{box[1]}),({box[2]},{box[3]})"


def in_form(form: str, between: str, write) -> str:
    """Every expression in a native form: `form` holds `{label}` and `{boxes}`."""
    return "\n".join(
        form.format(label=ASKED[i], boxes=between.join(map(write, boxes))) for i, boxes in RIGHT.items()
    )


NATIVE = (
    reads("begin_of_box with names", in_form("{label}: <|begin_of_box|>[{boxes}]<|end_of_box|>", ", ", str)),
    reads(
        "begin_of_box, names on a line before",
        in_form("{label}\n<|begin_of_box|>[{boxes}]<|end_of_box|>", ", ", str),
    ),
    fails(
        "begin_of_box without names",
        f"<|begin_of_box|>{[BOAT]}<|end_of_box|><|begin_of_box|>{[LIGHT]}<|end_of_box|>",
    ),
    fails("all boxes in one begin_of_box", f"Found: <|begin_of_box|>{[BOAT, LIGHT, *GULLS]}<|end_of_box|>"),
    reads(
        "four tokens in box_start",
        in_form("<|object_ref_start|>{label}<|object_ref_end|><|box_start|>{boxes}<|box_end|>", ",", tokens),
    ),
    reads(
        "two points in box_start",
        in_form(
            "<|object_ref_start|>{label}<|object_ref_end|><|box_start|>{boxes}<|box_end|>",
            "<|box_end|><|box_start|>",
            corners,
        ),
    ),
    reads("ref and box of tokens", in_form("<ref>{label}</ref><box>{boxes}</box>", "</box><box>", tokens)),
    reads(
        "ref and box of tokens, one absent",
        f"<ref>the white boat</ref><box>{tokens(BOAT)}</box><ref>a lighthouse</ref><box>none</box>"
        f"<ref>three gulls</ref>{''.join(f'<box>{tokens(gull)}</box>' for gull in GULLS)}",
        RIGHT | {"e1": []},
    ),
    reads("ref and box of numbers", in_form("<ref>{label}</ref><box>{boxes}</box>", "</box><box>", spaced)),
    reads("bbox tags after names", in_form("{label}: <bbox>{boxes}</bbox>", "</bbox><bbox>", spaced)),
    reads(
        "bbox tags in JSON",
        labelled("the white boat", "a lighthouse", *THREE).replace(
            "[500, 90, 590, 610]", '"<bbox>500 90 590 610</bbox>"'
        ),
    ),
    fails("one id for two entries, another expression without any", identified("e0", "e1", "e1")),
    reads(
        "bbox tags as strings in the list of boxes",
        envelope(
            *({"id": i, "boxes": [f"<bbox>{spaced(b)}</bbox>" for b in boxes]} for i, boxes in RIGHT.items())
        ),
    ),
    reads(
        "bbox tags in one string for each expression",
        envelope(
            *({"id": i, "boxes": "".join(f"<bbox>{spaced(b)}</bbox>" for b in bs)} for i, bs in RIGHT.items())
        ),
    ),
    reads(
        "token boxes as strings",
        envelope(
            *(
                {"id": i, "boxes": ["<box><x_{}><y_{}><x_{}><y_{}></box>".format(*b) for b in boxes]}
                for i, boxes in RIGHT.items()
            )
        ),
    ),
    fails("bbox tags without names", "".join(f"<bbox>{spaced(box)}</bbox>" for box in [BOAT, LIGHT, GULL_1])),
    reads(
        "box of named tokens",
        in_form(
            "<ref>{label}</ref><box>{boxes}</box>",
            "</box><box>",
            lambda b: f"<x_{b[0]}><y_{b[1]}><x_{b[2]}><y_{b[3]}>",
        ),
    ),
    reads("det with lists", in_form("<|ref|>{label}<|/ref|><|det|>[{boxes}]<|/det|>", ", ", str)),
    reads("text and two points", in_form("{label}{boxes}", ",", corners)),
    reads("lists with semicolons", in_form("{label} [[{boxes}]]", ";", lambda b: ",".join(map(str, b)))),
    reads(
        "lists with semicolons and three digits",
        in_form("{label} [[{boxes}]]", ";", lambda b: ",".join(f"{v:03}" for v in b)),
    ),
    reads(
        "boxes with coords",
        "\n".join(
            f'<boxes coords="1 {" ".join(f"{n} {spaced(box)}" for n, box in enumerate(boxes, 1))}">{ASKED[i]}</boxes>'
            for i, boxes in RIGHT.items()
        ),
    ),
    reads(
        "named corners, objects without brackets",
        ", ".join(
            json.dumps({"label": ASKED[i], "x_min": b[0], "y_min": b[1], "x_max": b[2], "y_max": b[3]})
            for i, boxes in RIGHT.items()
            for b in boxes
        ),
    ),
    reads_or_fails(
        "VOC",
        "".join(
            f"<object><name>{ASKED[i]}</name><bndbox><xmin>{b[0]}</xmin><ymin>{b[1]}</ymin><xmax>{b[2]}</xmax><ymax>{b[3]}</ymax></bndbox></object>"
            for i, boxes in RIGHT.items()
            for b in boxes
        ),
    ),
    fails(
        "SVG",
        '<svg><rect x="120" y="210" width="220" height="220"/><rect x="500" y="90" width="90" height="520"/></svg>',
    ),
    fails("points", json.dumps([{"label": text, "point_2d": [200, 300]} for text in ASKED.values()])),
    fails("points in XML", '<points x1="20" y1="30" alt="the white boat">the white boat</points>'),
)


def with_boat(box: object) -> str:
    """The obedient reply, but for the boat's box."""
    return envelope(by_id("e0", box), by_id("e1", LIGHT), by_id("e2", *GULLS))


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

LENGTH = (
    reads("a whole document", FINAL, ended_for_length=True),
    reads("a whole document in its fence", f"```json\n{FINAL}\n```", ended_for_length=True),
    reads("a whole document, the fence open", f"```json\n{FINAL}\n", ended_for_length=True),
    reads("a whole document, then blank lines", FINAL + "\n" * 60, ended_for_length=True),
    reads("thinking, then a whole document", f"<think>{DRAFT} hm</think>{FINAL}", ended_for_length=True),
    cut("a document, then prose", f"{FINAL}\nBut wait, the boat", ended_for_length=True),
    cut("a draft inside prose", f"Let me try {DRAFT} but the boat is further to the", ended_for_length=True),
    cut("a document, then the start of another", f"{DRAFT}\n{FINAL[:60]}", ended_for_length=True),
    cut("lines, two of three", f"{E0}\n{E1}\n", ended_for_length=True),
    cut(
        "lines in words",
        f"the white boat: {BOAT}\na lighthouse: {LIGHT}\nthree gulls: {[GULL_1]}",
        ended_for_length=True,
    ),
    cut("an unknown tag", f"<|channel>thought\n{DRAFT} so", ended_for_length=True),
    cut("thinking only", f"<think>{DRAFT} so", ended_for_length=True),
    cut("nothing after thinking", f"<think>{DRAFT}</think>\n", ended_for_length=True),
    cut("native form", f"<ref>the white boat</ref><box>{[BOAT]}</box><ref>a light", ended_for_length=True),
    *(
        cut(
            f"cut in {place}, whatever the reason given", FINAL[: FINAL.index(mark, FINAL.index("e2")) + more]
        )
        for place, mark, more in [
            ("a key", "bbox_2d", 3),
            ("a number", "780", 1),
            ("a list", "700", 5),
            ("the word score", "score", 2),
            ("an entry", '"boxes"', 9),
            ("the middle of the boxes", "70]", 3),
        ]
    ),
    cut("cut before the last bracket", FINAL[:-1]),
    cut("cut in an id", FINAL[: FINAL.index('"e2"') + 2]),
    cut("cut after a comma", FINAL[: FINAL.index('{"id": "e2"')]),
    cut("a fence, cut", f"Here you are:\n```json\n{FINAL[:-20]}"),
    cut("a list of labels, cut", labelled("the white boat", "a lighthouse", *THREE)[:-30]),
)

REASONING = (
    reads("a tag nobody knows, closed", f"<seed:think>{DRAFT}</seed:think>{FINAL}"),
    reads("analysis, closed", f"<analysis>{DRAFT}</analysis>\n{FINAL}"),
    fails("analysis, open", f"<analysis>First I get {DRAFT} and now"),
    fails("a tag with a time, open", f"<think time=3>{DRAFT} hm"),
    reads("a tag with attributes, closed", f'<thinking budget="low">{DRAFT}</thinking>{FINAL}'),
    fails("a made-up tag, open", f"<inner_voice_2>{DRAFT} or else"),
    reads("a made-up tag, closed", f"<inner_voice_2>{DRAFT}</inner_voice_2>{FINAL}"),
    fails("only reasoning, closed", f"<reasoning>{DRAFT}</reasoning>"),
    reads("a channel, closed", f"<|channel>thought\n{DRAFT}<channel|>{FINAL}"),
    fails("a channel, open", f"<|channel>thought\n{DRAFT} well"),
    reads(
        "channels and messages",
        f"<|channel|>analysis<|message|>{DRAFT}<|end|><|start|>assistant<|channel|>final<|message|>{FINAL}<|return|>",
    ),
    fails("the analysis channel alone", f"<|channel|>analysis<|message|>{DRAFT} so"),
    reads("square brackets, closed", f"[THINK]{DRAFT}[/THINK]{FINAL}"),
    fails("square brackets, open", f"[THINK]{DRAFT} so"),
    reads("triangles, closed", f"◁think▷{DRAFT}◁/think▷{FINAL}"),
    fails("triangles, open", f"◁think▷{DRAFT} so"),
    reads("a tag within a tag", f"<think><plan>{DRAFT}</plan> good</think>{FINAL}"),
    reads("doubts after the answer", f"{FINAL}\n<reflection>or rather {DRAFT}?</reflection>"),
    reads_or_fails("doubts after the answer, open", f"{FINAL}\n<reflection>or rather {DRAFT}"),
    reads("capitals", f"<THINK>{DRAFT}</THINK>{FINAL}"),
    reads("closed only", f"it may be {DRAFT}\n</thought>\n{FINAL}"),
    reads("reasoning under a key", json.dumps({"reasoning": f"perhaps {DRAFT}", **json.loads(FINAL)})),
    reads("a draft under a key", json.dumps({"thought": json.loads(DRAFT), **json.loads(FINAL)})),
    reads("a comment", f"<!-- {DRAFT} -->{FINAL}"),
    reads("reasoning folded", f"<details><summary>Reasoning</summary>{DRAFT}</details>\n{FINAL}"),
    reads("thought and final answer in words", f"Thought: {DRAFT}\nFinal answer: {FINAL}"),
    *(
        reads(f"an answer in {tag}", f"<think>{DRAFT}</think><{tag}>{FINAL}</{tag}>")
        for tag in ("answer", "output", "final_answer", "json", "result")
    ),
    reads("an answer tag left open", f"<think>{DRAFT}</think><answer>{FINAL}"),
    reads_or_fails("a tool call", f'<tool_call>\n{{"name": "locate", "arguments": {FINAL}}}\n</tool_call>'),
    reads_or_fails(
        "a tool call, arguments in a string",
        f"<tool_call>{json.dumps({'name': 'locate', 'arguments': FINAL})}</tool_call>",
    ),
)

NO_ANSWER = (
    fails(
        "the schema",
        json.dumps(
            {
                "type": "object",
                "properties": {"expressions": {"type": "array", "items": {"type": "object"}}},
                "required": ["expressions"],
            }
        ),
    ),
    fails("an error", '{"error": {"code": 400, "message": "no image"}}'),
    fails(
        "step 0 again",
        json.dumps(
            {"cleaned_caption": "The white boat.", "expressions": [{"text": text} for text in ASKED.values()]}
        ),
    ),
    fails("an apology", "I cannot provide coordinates for objects in images."),
    fails("a number", "42"),
    fails("null", "null"),
    fails("blank", " \n\t "),
    fails("the list of ids", '{"expressions": ["e0", "e1", "e2"]}'),
    fails("elision of entries", '{"expressions": [' + E0 + ", ... (2 more)]}"),
    fails("elision of boxes", FINAL[: FINAL.index('{"id": "e2"')] + '{"id": "e2", "boxes": [...]}]}'),
    fails("elision in a comment", '{"expressions": [' + E0 + "\n// ... other expressions\n]}"),
)

WRAPPED = (
    reads("in a string", json.dumps(FINAL)),
    reads_or_fails("in a field as a string", json.dumps({"answer": FINAL})),
    reads("in a field", json.dumps({"result": json.loads(FINAL)})),
    reads("in a list", f"[{FINAL}]"),
    reads("in single quotes", str(json.loads(FINAL))),
    reads("last commas", FINAL.replace("]}", "],}")),
    reads("a byte order mark", "\ufeff" + FINAL),
    reads("a fence of four", f"````\n{FINAL}\n````"),
    reads("tildes", f"~~~json\n{FINAL}\n~~~"),
    reads("an end token", f"{FINAL}<|im_end|>"),
    reads("keys without quotes", FINAL.replace('"id"', "id").replace('"boxes"', "boxes")),
)

SINGLE = (
    *(
        reads(f"one asked, {name}", reply, ONE_RIGHT, asked=ONE)
        for name, reply in {
            "bare numbers": f"{BOAT}",
            "bare nested": f"{[BOAT]}",
            "boxes": json.dumps({"boxes": [BOAT]}),
            "a list of objects": json.dumps([{"bbox_2d": BOAT, "score": 0.7}]),
            "corners": json.dumps({"x1": 120, "y1": 210, "x2": 340, "y2": 430}),
            "begin_of_box": f"<|begin_of_box|>{[BOAT]}<|end_of_box|>",
            "a bbox tag": f"<bbox>{spaced(BOAT)}</bbox>",
            "a box tag": f"<box>{tokens(BOAT)}</box>",
            "two points": corners(BOAT),
            "in a fence": f"```json\n{BOAT}\n```",
            "its name among others": json.dumps(
                [by_label("the white boat", BOAT), by_label("a mast", LIGHT)]
            ),
        }.items()
    ),
    reads("one asked, several boxes", json.dumps(GULLS), {"e0": GULLS}, asked={"e0": "three gulls"}),
    reads_or_fails("one asked, in a sentence", f"The bounding box is {BOAT}.", ONE_RIGHT, asked=ONE),
    fails("one asked, another named", json.dumps([by_label("a ferry", BOAT)]), asked=ONE),
    fails("one asked, another named in words", f"a ferry: {[BOAT]}", asked=ONE),
    fails("one asked, another id", envelope(by_id("e4", BOAT)), asked=ONE),
)

CASES = (
    IDS
    + LABELS
    + LISTS
    + JOINED
    + PLAIN_NAMES
    + NATIVE
    + BOXES
    + LENGTH
    + REASONING
    + NO_ANSWER
    + WRAPPED
    + SINGLE
)

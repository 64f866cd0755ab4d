"""Replies in the native forms of model families, every expression in one of them.

The outcomes were decided by reading the replies, before the parser was run on them.
"""

import json

from tests.core.reply_cases import (
    ASKED,
    BOAT,
    GULL_1,
    GULLS,
    LIGHT,
    RIGHT,
    THREE,
    corners,
    envelope,
    fails,
    identified,
    labelled,
    reads,
    reads_or_fails,
    spaced,
    tokens,
)


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

CASES = NATIVE

"""Replies that are written in words, markup or code, and replies about one expression.

The outcomes were decided by reading the replies, before the parser was run on them.
"""

from tests.core.reply_cases import (
    BOAT,
    E0,
    FAILS,
    FINAL,
    GULL_1,
    GULL_2,
    GULL_3,
    GULLS,
    LIGHT,
    ONE,
    ONE_RIGHT,
    RIGHT,
    Cases,
)

CASES = Cases()
ALT = [300, 300, 400, 420]


CASES.add("arrow", f"e0 -> {BOAT}\ne1 -> {LIGHT}\ne2 -> {GULLS}", RIGHT, FAILS)
CASES.add(
    "fat arrow", f"the white boat => {BOAT}\na lighthouse => {LIGHT}\nthree gulls => {GULLS}", RIGHT, FAILS
)
CASES.add("bullets", f"• the white boat {BOAT}\n• a lighthouse {LIGHT}\n• three gulls {GULLS}", RIGHT, FAILS)
CASES.add(
    "named corners in prose",
    "the white boat: x1=120, y1=210, x2=340, y2=430\na lighthouse: x1=500, y1=90, x2=590, y2=610",
    FAILS,
)
CASES.add(
    "from to",
    "the white boat: from (120, 210) to (340, 430)\na lighthouse: from (500, 90) to (590, 610)\nthree gulls: from (10, 20) to (60, 70)",
    FAILS,
    RIGHT | {"e2": [GULL_1]},
)
CASES.add(
    "top-left bottom-right",
    "the white boat: top-left (120, 210), bottom-right (340, 430)\na lighthouse: top-left (500, 90), bottom-right (590, 610)\nthree gulls: top-left (10, 20), bottom-right (60, 70)",
    FAILS,
    RIGHT | {"e2": [GULL_1]},
)
CASES.add(
    "centre and size prose",
    "the white boat: center (230, 320), size (220, 220)\na lighthouse: center (545, 350), size (90, 520)\nthree gulls: center (35, 45), size (50, 50)",
    FAILS,
    RIGHT | {"e2": [GULL_1]},
)
CASES.add(
    "point and size pairs",
    "the white boat (120,210),(220,220)\na lighthouse (500,90),(90,520)\nthree gulls (10,20),(50,50)",
    FAILS,
    RIGHT | {"e2": [GULL_1]},
    {"e0": [[120, 210, 220, 220]], "e1": [[90, 90, 500, 520]], "e2": [[10, 20, 50, 50]]},
)
CASES.add("bare numbers", "the white boat: 120, 210, 340, 430\na lighthouse: 500, 90, 590, 610", FAILS)
CASES.add(
    "box first lines",
    f"{BOAT}: the white boat\n{LIGHT}: a lighthouse\n{GULL_1}: three gulls",
    FAILS,
    RIGHT | {"e2": [GULL_1]},
)
CASES.add(
    "box first, dash",
    f"{BOAT} - the white boat\n{LIGHT} - a lighthouse\n" + "\n".join(f"{g} - three gulls" for g in GULLS),
    FAILS,
    RIGHT,
)
CASES.add(
    "box first, intro names",
    f"Found the white boat, a lighthouse and three gulls:\n{BOAT} - the white boat\n{LIGHT} - a lighthouse\n"
    + "\n".join(f"{g} - three gulls" for g in GULLS),
    FAILS,
    RIGHT,
)
CASES.add(
    "box first with intro of one",
    f"three gulls:\n{GULL_1} the white boat\n{BOAT} a lighthouse\n{LIGHT}",
    FAILS,
)
CASES.add(
    "box then ref",
    f"<box>{[BOAT]}</box><ref>the white boat</ref><box>{[LIGHT]}</box><ref>a lighthouse</ref><box>{GULLS}</box><ref>three gulls</ref>",
    FAILS,
    RIGHT,
)
CASES.add(
    "two refs then box",
    f"<ref>the white boat</ref><ref>a lighthouse</ref><box>{[BOAT]}</box><ref>three gulls</ref><box>{GULLS}</box>",
    FAILS,
)
CASES.add(
    "ref without box",
    f"<ref>the white boat</ref><box>{[BOAT]}</box><ref>a lighthouse</ref><ref>three gulls</ref><box>{GULLS}</box>",
    FAILS,
    RIGHT | {"e1": []},
)
CASES.add(
    "ref none of empty",
    f"<ref>the white boat</ref><box>{[BOAT]}</box><ref>a lighthouse</ref><box></box><ref>three gulls</ref><box>{GULLS}</box>",
    RIGHT | {"e1": []},
)
CASES.add(
    "ref unclosed",
    f"<ref>the white boat<box>{[BOAT]}</box><ref>a lighthouse<box>{[LIGHT]}</box><ref>three gulls<box>{GULLS}</box>",
    FAILS,
    RIGHT,
)
CASES.add(
    "xml attrs",
    '<expression id="e0"><box x1="120" y1="210" x2="340" y2="430"/></expression><expression id="e1"><box x1="500" y1="90" x2="590" y2="610"/></expression>',
    FAILS,
)
CASES.add(
    "xml nested",
    "<results><object><id>e0</id><bbox>120 210 340 430</bbox></object><object><id>e1</id><bbox>500 90 590 610</bbox></object></results>",
    FAILS,
)
CASES.add("svg polygon", '<polygon points="120,210 340,210 340,430 120,430"/>', FAILS, asked=ONE)
CASES.add(
    "html table",
    f"<table><tr><td>the white boat</td><td>{BOAT}</td></tr><tr><td>a lighthouse</td><td>{LIGHT}</td></tr><tr><td>three gulls</td><td>{GULLS}</td></tr></table>",
    RIGHT,
    FAILS,
)
CASES.add(
    "md table label box",
    f"| label | bbox |\n|---|---|\n| the white boat | {BOAT} |\n| a lighthouse | {LIGHT} |\n| three gulls | {GULL_1} |\n| three gulls | {GULL_2} |\n| three gulls | {GULL_3} |",
    RIGHT,
    FAILS,
)
CASES.add(
    "md table box label",
    f"| bbox | label |\n|---|---|\n| {BOAT} | the white boat |\n| {LIGHT} | a lighthouse |\n| {GULLS} | three gulls |",
    RIGHT,
    FAILS,
)
CASES.add(
    "md table one",
    "| label | bbox |\n|---|---|\n| the white boat | [120, 210, 340, 430] |",
    ONE_RIGHT,
    FAILS,
    asked=ONE,
)
CASES.add("csv", "label,x1,y1,x2,y2\nthe white boat,120,210,340,430\na lighthouse,500,90,590,610", FAILS)
CASES.add(
    "yaml text",
    f"expressions:\n  - id: e0\n    boxes:\n      - bbox_2d: {BOAT}\n        score: 0.9\n  - id: e1\n    boxes:\n      - bbox_2d: {LIGHT}\n  - id: e2\n    boxes: []",
    FAILS,
    RIGHT | {"e2": []},
)
CASES.add("toml", f"[e0]\nboxes = [{BOAT}]\n[e1]\nboxes = [{LIGHT}]\n[e2]\nboxes = {GULLS}", FAILS, RIGHT)
CASES.add(
    "lines with empties",
    f"the white boat: {[BOAT]}\na lighthouse: []\nthree gulls: {GULLS}",
    RIGHT | {"e1": []},
    FAILS,
)
CASES.add(
    "lines not visible",
    f"the white boat: {[BOAT]}\na lighthouse: not visible\nthree gulls: {GULLS}",
    RIGHT | {"e1": []},
    FAILS,
)
CASES.add(
    "two sentences",
    f"I see the white boat {BOAT}. There is also a lighthouse {LIGHT}. Above are three gulls {GULLS}.",
    RIGHT,
    FAILS,
)
CASES.add(
    "sentence with another thing",
    f"The white boat {BOAT} is next to a pier {ALT}. A lighthouse {LIGHT} is behind. Three gulls {GULLS} fly.",
    RIGHT,
    FAILS,
)
CASES.add("tuple", FINAL.replace("[120, 210, 340, 430]", "(120, 210, 340, 430)"), RIGHT, FAILS)
CASES.add("np array", FINAL.replace("[120, 210, 340, 430]", "array([120, 210, 340, 430])"), RIGHT, FAILS)
CASES.add(
    "np.float64",
    FINAL.replace(
        "[120, 210, 340, 430]", "[np.float64(120.0), np.float64(210.0), np.float64(340.0), np.float64(430.0)]"
    ),
    RIGHT,
    FAILS,
)
CASES.add("Box ctor", "Box(label='the white boat', x1=120, y1=210, x2=340, y2=430)", FAILS, asked=ONE)
CASES.add("undefined", FINAL.replace("[120, 210, 340, 430]", "undefined"), FAILS)
CASES.add(
    "python call",
    'draw(image, [120, 210, 340, 430], "the white boat")\ndraw(image, [500, 90, 590, 610], "a lighthouse")',
    FAILS,
)
CASES.add("extra closers", FINAL + "]}", RIGHT, FAILS)
CASES.add("missing comma between entries", FINAL.replace('}, {"id": "e1"', '} {"id": "e1"'), RIGHT, FAILS)
CASES.add("smart quotes", FINAL.replace('"', "”"), RIGHT, FAILS)
CASES.add("html entities", FINAL.replace('"', "&quot;"), RIGHT, FAILS)
CASES.add("crlf", FINAL.replace(", ", ",\r\n"), RIGHT)
CASES.add("tabs", FINAL.replace(" ", "\t"), RIGHT)
CASES.add("NUL", FINAL.replace("}, {", "},\x00 {", 1), RIGHT, FAILS)
CASES.add("u2028", FINAL.replace(", ", ",\u2028"), RIGHT, FAILS)
CASES.add("bom inside fence", f"```json\n\ufeff{FINAL}\n```", RIGHT, FAILS)
CASES.add(
    "control char in string", FINAL.replace('"id": "e0"', '"id": "e0", "note": "a\nb\tc"'), RIGHT, FAILS
)
CASES.add("bad escape", FINAL.replace('"id": "e0"', '"id": "e0", "note": "C:\\path\\x"'), RIGHT, FAILS)
CASES.add("block comment", "{/* three */" + FINAL[1:], RIGHT, FAILS)
CASES.add("hash comment", FINAL.replace('}, {"id": "e1"', '}, # boat\n{"id": "e1"'), RIGHT, FAILS)
CASES.add("string ellipsis element", '{"expressions": [' + E0 + ', "..."]}', FAILS)
CASES.add("dots comment", '{"expressions": [' + E0 + "\n# e1 and e2 omitted\n]}", FAILS)
CASES.add(
    "etc key", '{"expressions": [' + E0 + '], "more": "2 omitted"}', FAILS, RIGHT | {"e1": [], "e2": []}
)
# single
for n, (r, outs) in {
    "answer prose": ("The white boat is located at [120, 210, 340, 430].", (ONE_RIGHT, FAILS)),
    "two candidates": ("It could be [120, 210, 340, 430] or [1, 2, 30, 40].", (FAILS,)),
    "not but": ("Not [1, 2, 30, 40] but [120, 210, 340, 430].", (FAILS, ONE_RIGHT)),
    "size then box": ("The image is [1000, 1000]. Box: [120, 210, 340, 430]", (ONE_RIGHT, FAILS)),
    "size four": ("Image region [0, 0, 1000, 1000]. Box: [120, 210, 340, 430]", (ONE_RIGHT, FAILS)),
    "empty list": ("[]", ({"e0": []},)),
    "none word": ("none", (FAILS, {"e0": []})),
    "No boat": ("There is no white boat in the image.", (FAILS, {"e0": []})),
    "empty boxes": ('{"boxes": []}', ({"e0": []}, FAILS)),
    "empty str": ('""', (FAILS,)),
    "other and unnamed": (
        '[{"label": "a pier", "bbox_2d": [1, 2, 30, 40]}, {"bbox_2d": [120, 210, 340, 430]}]',
        (FAILS, ONE_RIGHT),
    ),
    "box key wrong id": ('{"id": "e1", "bbox_2d": [120, 210, 340, 430]}', (FAILS,)),
    "id 1": ('{"id": 1, "bbox_2d": [120, 210, 340, 430]}', (FAILS, ONE_RIGHT)),
    "percent": ('{"bbox_2d": ["12%", "21%", "34%", "43%"]}', (FAILS, ONE_RIGHT)),
    "loc": ("the white boat<loc_120><loc_210><loc_340><loc_430>", (ONE_RIGHT, FAILS)),
    "quad": ("<quad>120 210 340 210 340 430 120 430</quad>", (FAILS,)),
    "latex": ("$\\boxed{[120, 210, 340, 430]}$", (ONE_RIGHT, FAILS)),
    "boxed tuple": ("\\boxed{(120, 210, 340, 430)}", (ONE_RIGHT, FAILS)),
    "coordinate prose": ("(120, 210, 340, 430)", (ONE_RIGHT, FAILS)),
    "wh": ("x: 120, y: 210, width: 220, height: 220", (FAILS, ONE_RIGHT)),
    "xywh json": ('{"x": 120, "y": 210, "width": 220, "height": 220}', (ONE_RIGHT, FAILS)),
    "image dims json": ('{"width": 1000, "height": 1000}', (FAILS,)),
    "dims and none": ('{"width": 1000, "height": 1000, "boxes": []}', ({"e0": []}, FAILS)),
    "year": ("Photo taken in [2019, 5, 3, 12] maybe.", (FAILS,)),
    "score array": ('{"scores": [0.1, 0.2, 0.3, 0.4]}', (FAILS,)),
    "four scores": (
        "[0.95, 0.91, 0.88, 0.72]",
        (FAILS, {"e0": [[950, 910, 880, 720]]}, {"e0": [[880, 720, 950, 910]]}),
    ),
    "rgb": ('{"color": [120, 210, 340, 430]}', (FAILS,)),
    "question": ("Do you mean the boat at [120, 210, 340, 430]?", (FAILS, ONE_RIGHT)),
}.items():
    CASES.add("one " + n, r, *outs, asked=ONE)

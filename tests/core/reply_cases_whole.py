"""Replies that say that they are not the whole answer, or not the answer at all."""

import json

from tests.core.reply_cases import (
    ASKED,
    BOAT,
    CUT,
    DRAFT,
    FAILS,
    FINAL,
    GULL_1,
    GULLS,
    LIGHT,
    RIGHT,
    Boxes,
    Cases,
    by_id,
    by_label,
    envelope,
)

CASES = Cases()
_E0, _E1, _E2 = by_id("e0", BOAT), by_id("e1", LIGHT), by_id("e2", *GULLS)
_WITHOUT_LIGHT: Boxes = {**RIGHT, "e1": []}

for said in (
    {"truncated": True},
    {"is_truncated": "true"},
    {"partial": True},
    {"complete": False},
    {"more": "2 omitted"},
    {"omitted": 2},
    {"remaining": ["a lighthouse"]},
    {"status": "incomplete"},
    {"finish_reason": "length"},
    {"has_more": True},
    {"error": "max objects reached"},
    {"comment": "... and so on"},
    {"total": 3},
):
    CASES.add(f"one of three and {said}", {"expressions": [_E0], **said}, FAILS)
    CASES.add(
        f"one of three, labelled, and {said}", {"detections": [by_label(ASKED["e0"], BOAT)], **said}, FAILS
    )
for said in (
    {"truncated": False},
    {"complete": True},
    {"status": "ok"},
    {"image_size": [1000, 1000]},
    {"total": 1},
):
    only_boat: Boxes = {"e0": [BOAT], "e1": [], "e2": []}
    CASES.add(f"one of three, whole by {said}", {"expressions": [_E0], **said}, only_boat)
for rest in (
    "// more",
    "[2 more]",
    "(2 more)",
    '{"...": "..."}',
    "/* others omitted */",
    "<rest omitted>",
    '"2 more"',
):
    CASES.add(f"elided by {rest}", f'{{"expressions": [{json.dumps(_E0)},\n{rest}\n]}}', FAILS)
    gulls = f'{{"id": "e2", "boxes": [{{"bbox_2d": {GULL_1}}},\n{rest}\n]}}'
    CASES.add(
        f"boxes elided by {rest}",
        f'{{"expressions": [{json.dumps(_E0)}, {json.dumps(_E1)}, {gulls}]}}',
        FAILS,
    )
for words in ("... (the others follow the same pattern)", "(remaining expressions omitted)", "and 2 more"):
    CASES.add(f"one of three, then {words}", f"{envelope(_E0)}\n{words}", FAILS)

for key in ("found", "visible", "is_present", "exists", "in_image"):
    CASES.add(f"{key} is false", envelope(_E0, {"id": "e1", key: False}, _E2), _WITHOUT_LIGHT)
    CASES.add(f"{key} is false with a box", envelope(_E0, {**_E1, key: False}, _E2), FAILS)
    CASES.add(f"{key} is true without a box", envelope(_E0, {"id": "e1", key: True, "boxes": []}, _E2), FAILS)
    CASES.add(f"{key} is true with a box", envelope(_E0, {**_E1, key: True}, _E2), RIGHT)
for said in ({"rejected": True}, {"valid": False}, {"corrected_bbox": BOAT}, {"refined": {"bbox": BOAT}}):
    box = {"bbox_2d": [1, 1, 9, 9], **said}
    CASES.add(f"a box disowned by {said}", envelope({"id": "e0", "boxes": [box]}, _E1, _E2), FAILS)

for words in ("For comparison, the old model said", "Wrong:", "The draft was", "~~", "not"):
    CASES.add(f"then, {words}", f"{FINAL}\n{words} {DRAFT}", RIGHT, FAILS)
CASES.add("a wrong one, then the better", f"Wrong: {DRAFT}\nThat was wrong. Corrected: {FINAL}", RIGHT)
for words in ("Correction for e0:", "Sorry, the white boat is at"):
    CASES.add(
        f"{words} in words",
        f"{envelope(by_id('e0', [1, 1, 99, 99]), _E1, _E2)}\n{words} {BOAT}",
        RIGHT,
        FAILS,
    )

for begin, end in (
    (r"\begin{thinking}", r"\end{thinking}"),
    ("{think}", "{/think}"),
    ("< think >", "</ think >"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
):
    CASES.add(f"thinking in {begin}", f"{begin}maybe {DRAFT} no.{end}{FINAL}", RIGHT)
    CASES.add(f"thinking left open in {begin}", f"{begin}maybe {DRAFT}, but the boat", FAILS)
    CASES.add(f"nothing but thinking in {begin}", f"{begin}maybe {DRAFT} no.{end}\n", FAILS)
for heading in ("## Thinking\n", "**Reasoning:**\n", "Thinking: ", "思考过程："):
    CASES.add(
        f"thinking that breaks off under {heading.strip()}", f"{heading}First {DRAFT} but the boat is", CUT
    )
    CASES.add(f"an answer below {heading.strip()}", f"{heading}The boat is left.\n{FINAL}", RIGHT)
for mark in ("<end_of_turn>", "<end_of_utterance>", "<|end_of_text|>"):
    CASES.add(f"ends with {mark}", FINAL + mark, RIGHT)

for box in ([120, 210, 120, 430], [500, 500, 500, 500], [120, 210, 121, 211], [1500, 1500, 1600, 1600]):
    CASES.add(f"a lone box that is none: {box}", envelope(by_id("e0", box), _E1, _E2), FAILS)
    CASES.add(f"beside a real one: {box}", envelope(by_id("e0", BOAT, box), _E1, _E2), RIGHT, FAILS)
for box in ([0, 0, 0, 0], [-1, -1, -1, -1]):
    CASES.add(f"none, written as {box}", envelope(_E0, by_id("e1", box), _E2), _WITHOUT_LIGHT)
creeping = [[10 + 4 * i, 20, 110 + 4 * i, 120] for i in range(40)]
CASES.add("one box that creeps on", envelope(_E0, _E1, by_id("e2", *creeping)), FAILS)
row = [[10 + 60 * i, 20, 60 + 60 * i, 120] for i in range(14)]
CASES.add("a row of windows", envelope(_E0, _E1, by_id("e2", *row)), {**RIGHT, "e2": row})
for corners in ({"start": BOAT[:2], "end": BOAT[2:]}, {"center": [230, 320], "size": [220, 220]}):
    CASES.add(
        f"corners as {list(corners)}",
        [{"label": ASKED["e0"], "bbox": corners}, by_label(ASKED["e1"], LIGHT)],
        FAILS,
    )
voc = "<object><name>the white boat</name><bndbox><xmin>120</xmin><ymin>210</ymin></bndbox></object>"
CASES.add("XML between tags of boxes", voc, FAILS, asked={"e0": ASKED["e0"]})
CASES.add(
    "an entry that lost its boxes",
    '[{"label": "the white boat", "bbox": [1, 2, 30, 40]}, {"label": "a lighthouse", "bbox"]',
    FAILS,
)
CASES.add("invented", f"These are example coordinates only:\n{FINAL}", FAILS)
for blind in ("Non riesco a vedere l'immagine.", "Não consigo ver a imagem.", "Nie widzę obrazu."):
    CASES.add(f"blind: {blind}", f"{blind}\n{envelope(by_id('e0'), by_id('e1'), by_id('e2'))}", FAILS)

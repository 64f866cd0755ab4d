"""Replies that go on behind their answer, number boxes as ids, or say in their marks what their numbers are."""

import json

from tests.core.reply_cases import (
    ASKED,
    BOAT,
    CUT,
    DRAFT,
    FAILS,
    FINAL,
    GULLS,
    LIGHT,
    ONE,
    RIGHT,
    Cases,
    by_id,
    by_label,
    envelope,
)

CASES = Cases()

for name, between in {
    "ChatML": "<|im_end|>\n<|im_start|>user\nAnd now?<|im_end|>\n<|im_start|>assistant\n",
    "Llama": "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nMore<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n",
    "Gemma": "<end_of_turn>\n<start_of_turn>user\nMore<end_of_turn>\n<start_of_turn>model\n",
    "Mistral": "</s>[INST] More [/INST] ",
    "marks taken away": "\nuser\nMore\nassistant\n",
    "in words": "\n\nUser: And the next picture.\nAssistant: ",
    "human": "\n\nHuman: And the next picture.\n\nAssistant: ",
    "question": "\n\n**Question:** where is it?\n**Answer:** ",
    "another document": "<|endoftext|>",
}.items():
    CASES.add(f"a turn of somebody else, {name}", FINAL + between + DRAFT, RIGHT)
CASES.add("a question before the answer", f"Question: where is it?\nAnswer: {FINAL}", RIGHT)
CASES.add("the next image", f"{FINAL}\n\nImage 2:\n{DRAFT}", RIGHT, FAILS)

for name, words, said in (
    ("if it were not there", "If there were no boat, I would have answered ", by_id("e0")),
    ("an absent one looks so", "An absent object would look like ", by_id("e1")),
    ("how one box is written", "For instance ", by_id("e0", [0, 0, 10, 10])),
    ("the form of an entry", "Each entry has the form ", by_id("e0", [1, 2, 3, 4])),
    ("without a word", "", by_id("e0", [1, 2, 30, 40])),
):
    CASES.add(f"an example behind the answer, {name}", f"{FINAL}\n{words}{json.dumps(said)}", RIGHT, FAILS)
CASES.add(
    "one entry taken back",
    f"{FINAL}\nWait, the boat is here:\n{envelope(by_id('e0', [130, 210, 340, 430]))}",
    {**RIGHT, "e0": [[130, 210, 340, 430]]},
    FAILS,
)

for name, ids in {
    "slash": ("e0/0", "e1/0", "e2/0", "e2/1", "e2/2"),
    "bare slash": ("0/0", "1/0", "2/0", "2/1", "2/2"),
    "ours": ("e0/b0", "e1/b0", "e2/b0", "e2/b1", "e2/b2"),
    "ours whole": ("photo/e0/b0", "photo/e1/b0", "photo/e2/b0", "photo/e2/b1", "photo/e2/b2"),
    "two ids": ("e0/e1", "e1/e2", "e2/e0", "e2/e0", "e2/e0"),
}.items():
    boxes = [BOAT, LIGHT, *GULLS]
    rows = [{"id": one, "bbox_2d": box} for one, box in zip(ids, boxes, strict=True)]
    CASES.add(f"ids with the box's number, {name}", rows, RIGHT, FAILS)
for name, boat, light, gulls in (("id", *ASKED), ("label", *ASKED.values())):
    pairs = [(boat, BOAT), (light, LIGHT), *((gulls, gull) for gull in GULLS)]
    lines = "\n".join(json.dumps({one: box}) for one, box in pairs)
    CASES.add(f"one line a box under its {name}", lines, RIGHT, FAILS)
    lines = "\n".join(json.dumps({name: one, "boxes": [box]}) for one, box in pairs)
    CASES.add(f"one document a box under its {name}", lines, RIGHT, FAILS)

for member, value in (
    ("grid", 100),
    ("normalized_to", 100),
    ("max_coordinate", 100),
    ("coords", "percent"),
    ("order", "yx"),
):
    entries = [by_id("e0", [10, 20, 30, 40]), by_id("e1", [50, 10, 60, 60]), by_id("e2", [1, 2, 6, 7])]
    CASES.add(f"another frame beside the answer, {member}", {member: value, "expressions": entries}, FAILS)
for words in ("坐标为百分比。", "The origin is the bottom-left corner.", "Boxes are in yx order."):
    CASES.add(f"another frame in words, {words}", f"{words}\n{FINAL}", FAILS)
CASES.add("the usual frame in words", f"The origin is the top-left corner, x goes right.\n{FINAL}", RIGHT)

CASES.add(
    "patches on another grid",
    "".join(
        f"<phrase>{text}</phrase><object><patch_index_0044><patch_index_0863></object>"
        for text in ASKED.values()
    ),
    FAILS,
)
CASES.add("PaliGemma's order", "<loc0210><loc0120><loc0430><loc0340> the white boat", FAILS, asked=ONE)
CASES.add("tokens that begin with y", "the white boat <y_210><x_120><y_430><x_340>", FAILS, asked=ONE)

for name, opens, closes in (
    ("MedGemma", "<unused94>thought\n", "<unused95>"),
    ("marks of both ends", "<|reasoning_start|>", "<|reasoning_end|>"),
):
    CASES.add(f"thinking, {name}", f"{opens}{DRAFT}{closes}{FINAL}", RIGHT)
    CASES.add(f"thinking without end, {name}", f"{opens}{DRAFT} hm", CUT, FAILS)

CASES.add("denied behind the box", f"{BOAT} is a grey boat; there is no white one.", FAILS, asked=ONE)
CASES.add("taken back behind the box", f"[1, 2, 30, 40] — no, that is a buoy. {BOAT}", FAILS, asked=ONE)
CASES.add("named, and another denied", f"the white boat: {BOAT}. There is no oar.", {"e0": [BOAT]}, asked=ONE)
CASES.add("a label beside it", [by_label("the white boat", BOAT)], {"e0": [BOAT]}, asked=ONE)

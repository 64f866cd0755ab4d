"""Replies that go on behind their answer, number boxes as ids, or say in their marks what their numbers are."""

import json

from tests.core.reply_cases import (
    ASKED,
    BOAT,
    CUT,
    DRAFT,
    FAILS,
    FINAL,
    GULL_1,
    GULL_2,
    GULLS,
    LIGHT,
    ONE,
    RIGHT,
    Boxes,
    Cases,
    by_id,
    by_label,
    envelope,
    identified,
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
    "Llama 4": "<|eot|><|header_start|>user<|header_end|>\n\nMore<|eot|><|header_start|>assistant<|header_end|>\n\n",
    "DeepSeek": "<｜User｜>More<｜Assistant｜>",
    "Gemma 4": "<turn|>\n<|turn>user\nMore<turn|>\n<|turn>model\n",
    "a heading": "\n\n### User\nMore\n\n### Assistant\n",
    "an image": "\n\nUser: And the next picture (2) in [brackets].\nAssistant: ",
}.items():
    CASES.add(f"a turn of somebody else, {name}", FINAL + between + DRAFT, RIGHT)
for name, between in {
    "one more": "\nQ: Is that all?\nA: No, one more.\n",
    "without a word": "\n\nQ: Is that all?\nA: ",
    "forgotten": "\n**Question:** Did I forget one?\n**Answer:** ",
    "to the user": "\n\nUser: Are you sure?\nAssistant: Sorry, the boat is further left:\n",
    "asked twice": "\nQ: Is that all?\nA: No.\nQ: Where is it?\nA: ",
}.items():
    CASES.add(f"two answers, {name}", FINAL + between + DRAFT, FAILS)
    CASES.add(f"two answers that are one, {name}", FINAL + between + FINAL, RIGHT)
    lines = f"the white boat: {BOAT}{between}the white boat: {LIGHT}"
    CASES.add(f"two answers in words, {name}", lines, FAILS, asked=ONE)
for name, between in {
    "you missed it": "\nUser: You missed the second one.\nAssistant: ",
    "look again": "\nUser: Look again.\nAssistant: ",
    "anything else": "\nQ: Is there anything else?\nA: ",
    "is it correct": "\nQ: Is the box of the boat correct?\nA: ",
    "has it all": "\nQ: Are these all of them?\nA: ",
    "is it everything": "\nQ: Is that everything?\nA: ",
    "is it right": "\nQ: Is that right?\nA: ",
    "are there more": "\nQ: Are there more?\nA: ",
    "also": "\nUser: And then?\nAssistant: I also see this: ",
    "actually": "\nUser: Hm.\nAssistant: Actually, the boat is here: ",
    "no": "\nUser: Is it a boat?\nAssistant: **No**. Here: ",
    "two more": "\nUser: Go on.\nAssistant: There are two more: ",
    "after thanks": "\nUser: Thanks.\nAssistant: You are welcome.\nUser: Is that all?\nAssistant: ",
}.items():
    CASES.add(f"two answers, {name}", FINAL + between + DRAFT, FAILS)
    CASES.add(f"a reply cut before its second answer, {name}", FINAL[:-60] + between + DRAFT, CUT)
    CASES.add(f"a second answer cut in its reasoning, {name}", f"{FINAL}{between}{DRAFT}<think>Hm", CUT)
for name, between in {
    "all objects": "\nuser: Detect all objects of the picture.\nassistant: ",
    "all objects?": "\nUser: Can you detect all animals?\nAssistant: ",
    "introduced": "\nuser: Locate the dog.\nassistant: Here is the dog: ",
    "gladly": "\nUser: Locate the dog.\nAssistant: Sure, here is the dog:\n",
    "sure of it": "\nUser: Locate the dog. Make sure that all boxes are tight.\nAssistant: ",
    "nothing else": "\nUser: Locate all dogs. Return JSON and nothing else.\nAssistant: ",
    "in the correct form": "\nUser: Find the cat. Use the correct format and don't forget to give scores.\nAssistant: ",
    "another picture": "\nUser: Here is another image. Find the cat.\nAssistant: The cat is at ",
    "a missing thing": "\nUser: Locate the missing tile.\nAssistant: The tile: ",
    "a sign": "\nUser: Describe the picture.\nAssistant: A no-parking sign at ",
    "nothing of it": "\nUser: Locate the cat.\nAssistant: There is no cat. There is a dog: ",
}.items():
    CASES.add(f"an answer to another question, {name}", FINAL + between + DRAFT, RIGHT)
    CASES.add(f"run on to its limit, {name}", FINAL + between + DRAFT[:-9], RIGHT, ended_for_length=True)
    lines = f"the white boat: {BOAT}{between}{LIGHT}"
    CASES.add(f"an answer in words to another question, {name}", lines, {"e0": [BOAT]}, asked=ONE)
CASES.add("thanks behind the answer", f"{FINAL}\nUser: Are you sure?\nAssistant: Yes (of course).", RIGHT)
CASES.add("a question before the answer", f"Question: where is it?\nAnswer: {FINAL}", RIGHT)
CASES.add("the example of a prompt said again", f"[INST] Such as {DRAFT} [/INST] {FINAL}", RIGHT)
CASES.add("a prompt in tags said again", f"<user>Such as {DRAFT}</user>{FINAL}", RIGHT)
for name, words in {
    "question": "Question: does it hold the whole of it? Not quite.\nFinal: ",
    "Q": "Q: Is that all?\nIt was too narrow. Corrected:\n",
}.items():
    CASES.add(f"a question to itself, {name}", f"Draft: {DRAFT}\n{words}{FINAL}", RIGHT)
PEOPLE = {"e0": "human", "e1": "user"}
for name, line in {
    "bare": "{0}: {1}\n",
    "bullets": "* {0}: {1}\n",
    "bold": "**{0}**: {1}\n",
    "bold colon": "**{0}:** {1}\n",
    "name above": "{0}:\n{1}\n",
    "bare name above": "{0}\n{1}\n",
    "in braces": "{{\n {0}: {1}}}\n",
}.items():
    lines = "".join(line.format(PEOPLE[one], box) for one, box in (("e0", BOAT), ("e1", LIGHT)))
    CASES.add(f"things called as the speakers, {name}", lines, {"e0": [BOAT], "e1": [LIGHT]}, asked=PEOPLE)
    twice = line.format("human", BOAT) + line.format("human", LIGHT)
    both = {"e0": [BOAT, LIGHT]}
    CASES.add(f"two things called as a speaker, {name}", twice, both, asked={"e0": "human"})
CASES.add("the mark of an end", f"{FINAL}<|turn_end|>", RIGHT)
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

NOT_IT = "That is the grey boat; there is no white one."
CASES.add("denied above the box", f'{NOT_IT}\n[{{"bbox_2d": {BOAT}}}]', FAILS, asked=ONE)
for words in ("No other boats are visible.", "There are no more of them.", "It is not fully visible."):
    reply = f'[{{"bbox_2d": {BOAT}}}]\n{words}'
    CASES.add(f"nothing is denied of it, {words}", reply, {"e0": [BOAT]}, asked=ONE)
DOG = {"e0": "a dog not on a leash"}
line = f"a dog not on a leash:\n{BOAT}"
CASES.add("its own name denies", line, {"e0": [BOAT]}, asked=DOG)

WAIT = "Wait, the boat is further left:"
FIRST, SECOND = ({"the white boat": box} for box in ([1, 2, 30, 40], BOAT))
for name, between in (("a word", WAIT), ("a word and a line", f"Wait.\n{WAIT}"), ("a label", "Corrected:")):
    both = f"{json.dumps(FIRST)}\n{between}\n{json.dumps(SECOND)}"
    CASES.add(f"a box taken back, {name}", both, {"e0": [BOAT]}, asked=ONE)
    both = f"```json\n{json.dumps(FIRST)}\n```\n{between}\n```json\n{json.dumps(SECOND)}\n```"
    CASES.add(f"a box in a fence taken back, {name}", both, {"e0": [BOAT]}, asked=ONE)
CASES.add(
    "one more box",
    f"the white boat: {BOAT}\nActually, there is another one:\nthe white boat: {LIGHT}",
    {"e0": [BOAT, LIGHT]},
    FAILS,
    asked=ONE,
)
for text in ("old books", "a dog not on a leash", "an adjustable lamp", "the closer car"):
    lines = f"{text}: {BOAT}\n{text}: {LIGHT}"
    CASES.add(f"words of its name, {text}", lines, {"e0": [BOAT, LIGHT]}, asked={"e0": text})

TWO = {"e0": "a dog", "e1": "a cat"}
DOG_1, DOG_2, CAT = GULL_1, GULL_2, LIGHT
WHOLE = json.dumps([by_label("a dog", DOG_1), by_label("a dog", DOG_2), by_label("a cat", CAT)])
BOTH: Boxes = {"e0": [DOG_1, DOG_2], "e1": [CAT]}
LINES = f"- a dog: {DOG_1}\n- a dog: {DOG_2}"
for name, behind, outcomes in (
    ("one of two", f"The main one:\n{json.dumps([by_label('a dog', DOG_2)])}", (FAILS,)),
    ("both", f"The dogs:\n{json.dumps([by_label('a dog', DOG_2), by_label('a dog', DOG_1)])}", (BOTH,)),
    ("both in lines", f"Summary:\n{LINES}", (BOTH,)),
    ("all in lines", f"Summary:\n{LINES}\n- a cat: {CAT}", (BOTH,)),
    ("one of two in lines", f"Summary:\n- a dog: {DOG_2}\n- a cat: {CAT}", (BOTH, FAILS)),
):
    CASES.add(f"said again behind the answer, {name}", f"{WHOLE}\n{behind}", *outcomes, asked=TWO)
lines = f"{LINES}\nThere we are.\nIn short, in the picture:\n- a dog: {DOG_2}\n- a cat: {CAT}"
CASES.add("one of two lines said again", lines, BOTH, FAILS, asked=TWO)

NOTHING = envelope(by_id("e0"), by_id("e1"), by_id("e2"))
for words in (
    "However, if nothing is visible, return:",
    "If it is hidden, give this instead:",
    "When none is there:",
):
    CASES.add(f"an answer for another case, {words}", f"{FINAL}\n{words}\n{NOTHING}", RIGHT, FAILS)

RIGHT_ONE: Boxes = {"e0": [BOAT]}
CASES.add("for reference", f"For reference, the boat on the right is e0.\n{FINAL}", RIGHT)
anchor = {"e0": "an anchor on the right"}
CASES.add("an anchor", f"an anchor on the right: {BOAT}", RIGHT_ONE, asked=anchor)
for words in (
    "Origin: bottom-left.",
    "anchor = lower left",
    "The reference point is the bottom-left corner.",
):
    CASES.add(f"another origin, {words}", f"{words}\n{FINAL}", FAILS)
for between in (", ", " ", ""):
    run = between.join(f"<{axis}_{value}>" for axis, value in zip("xyxy", BOAT, strict=True))
    CASES.add(f"tokens that begin with x, {between!r}", f"the white boat {run}", RIGHT_ONE, asked=ONE)
    run = between.join(f"<{axis}_{value}>" for axis, value in zip("yxyx", BOAT, strict=True))
    CASES.add(f"tokens that begin with y, {between!r}", f"the white boat {run}", FAILS, asked=ONE)
CASES.add("ids with their list", identified("expressions/0", "expressions/1", "expressions/2"), RIGHT)

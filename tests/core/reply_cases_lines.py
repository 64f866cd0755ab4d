"""Replies in lines, and replies with their thinking around them.

The outcomes were decided by reading the replies, before the parser was run on them.
"""

import json

from tests.core.reply_cases import BOAT, CUT, DRAFT, FAILS, FINAL, GULL_1, GULL_2, GULLS, LIGHT, RIGHT, Cases

CASES = Cases()
ALT = [300, 300, 400, 420]
WHOLE = json.loads(FINAL)
CASES.add(
    "line name box paren conf",
    f"the white boat: {BOAT} (0.95)\na lighthouse: {LIGHT} (0.9)\n"
    + "\n".join(f"three gulls: {g} (0.8)" for g in GULLS),
    RIGHT,
    FAILS,
)
CASES.add(
    "line name desc",
    f"the white boat: {BOAT} (partly hidden)\na lighthouse: {LIGHT} (far away)\nthree gulls: {GULLS} (small)",
    RIGHT,
    FAILS,
)
CASES.add(
    "heading paragraphs",
    f"**e0 - the white boat**\nThe boat is on the left.\n{BOAT}\n\n**e1 - a lighthouse**\nIt is tall.\n{LIGHT}\n\n**e2 - three gulls**\nIn the sky.\n{GULLS}",
    RIGHT,
    FAILS,
)
CASES.add(
    "name below",
    f"{BOAT}\nthe white boat\n\n{LIGHT}\na lighthouse\n\n{GULL_1}\nthree gulls",
    FAILS,
    RIGHT | {"e2": [GULL_1]},
)
CASES.add(
    "name below all",
    f"{BOAT}\nthe white boat\n{LIGHT}\na lighthouse\n" + "\n".join(f"{g}\nthree gulls" for g in GULLS),
    FAILS,
    RIGHT,
)
CASES.add(
    "fence box first",
    f"```json\n{[BOAT]}\n```\nthis is the white boat\n```json\n{[LIGHT]}\n```\nthis is a lighthouse\n```json\n{GULLS}\n```\nthree gulls",
    FAILS,
    RIGHT,
)
CASES.add(
    "json then caption below",
    f"{json.dumps({'bbox_2d': BOAT})} the white boat\n{json.dumps({'bbox_2d': LIGHT})} a lighthouse\n"
    + "\n".join(f"{json.dumps({'bbox_2d': g})} three gulls" for g in GULLS),
    FAILS,
    RIGHT,
)
CASES.add(
    "box tags then names",
    f"<box>{[BOAT]}</box> the white boat\n<box>{[LIGHT]}</box> a lighthouse\n"
    + "\n".join(f"<box>{[g]}</box> three gulls" for g in GULLS),
    FAILS,
    RIGHT,
)
CASES.add(
    "loc before names with PaliGemma",
    "<loc0100><loc0200><loc0300><loc0400> the white boat ; <loc0100><loc0200><loc0300><loc0400> a lighthouse",
    FAILS,
)
CASES.add(
    "not this",
    f"the white boat: not {ALT} but {BOAT}\na lighthouse: {LIGHT}\nthree gulls: {GULLS}",
    FAILS,
    RIGHT,
)
CASES.add(
    "or",
    f"the white boat: {ALT} or {BOAT}\na lighthouse: {LIGHT}\nthree gulls: {GULLS}",
    FAILS,
    RIGHT | {"e0": [ALT, BOAT]},
)
CASES.add(
    "size line",
    f"Image size: [1000, 1000]\nthe white boat: {BOAT}\na lighthouse: {LIGHT}\nthree gulls: {GULLS}",
    RIGHT,
    FAILS,
)
CASES.add(
    "size line of four",
    f"Image frame: [0, 0, 1000, 1000]\nthe white boat: {BOAT}\na lighthouse: {LIGHT}\nthree gulls: {GULLS}",
    RIGHT,
    FAILS,
)
CASES.add("dates", f"Generated at [2026, 11, 26, 2].\n{FINAL}", RIGHT, FAILS)
CASES.add(
    "rgb beside",
    json.dumps({"expressions": [{**e, "color": [120, 210, 340, 430]} for e in WHOLE["expressions"]]}),
    RIGHT,
)
CASES.add(
    "cut sentence stop",
    f"the white boat: {BOAT}\na lighthouse: {LIGHT}\nthree gulls: {GULL_1}, {GULL_2}, [700, 30,",
    CUT,
    FAILS,
)
CASES.add(
    "three dots lines",
    f"the white boat: {BOAT}\na lighthouse: {LIGHT}\nthree gulls: {GULL_1}, ...",
    FAILS,
    RIGHT | {"e2": [GULL_1]},
)
CASES.add(
    "etc lines",
    f"the white boat: {BOAT}\na lighthouse: {LIGHT}\nthree gulls: {GULL_1} and two more",
    FAILS,
    RIGHT | {"e2": [GULL_1]},
)
CASES.add(
    "and n more",
    FINAL.replace(', {"bbox_2d": [700, 30, 780, 95], "score": 0.9}', ', "and 1 more"'),
    FAILS,
    RIGHT | {"e2": [GULL_1, GULL_2]},
)
CASES.add(
    "more count",
    json.dumps(
        {
            "expressions": [
                WHOLE["expressions"][0],
                WHOLE["expressions"][1],
                {**WHOLE["expressions"][2], "more": 2},
            ]
        }
    ),
    RIGHT,
    FAILS,
)
for n, (x, outs) in {
    "thinkopen_upper": (f"<THINK>{DRAFT}", (FAILS,)),
    "think_attr": (f"<think foo='a>b'>{DRAFT}</think>{FINAL}", (RIGHT, FAILS)),
    "two thinks": (f"<think>{DRAFT}</think><think>{DRAFT}</think>{FINAL}", (RIGHT,)),
    "think after": (f"{FINAL}<think>{DRAFT}</think>", (RIGHT, FAILS)),
    "reopen": (f"<think>a</think>{DRAFT}<think>hmm</think>{FINAL}", (RIGHT, FAILS)),
    "answer then think open": (f"<answer>{FINAL}</answer><think>{DRAFT}", (RIGHT, FAILS)),
    "nested answer in think": (f"<think>maybe <answer>{DRAFT}</answer> no</think>{FINAL}", (RIGHT,)),
    "answer in open think": (f"<think>maybe <answer>{DRAFT}</answer>", (FAILS,)),
    "zh tags": (f"<思考>{DRAFT}</思考>{FINAL}", (RIGHT, FAILS)),
    "zh open": (f"<思考>{DRAFT} 然后", (FAILS,)),
    "o1": (f"Thought for 5 seconds\n\n{FINAL}", (RIGHT,)),
    "quote think": (f"> {DRAFT}\n\n{FINAL}", (RIGHT, FAILS)),
    "html comment open": (f"<!-- {DRAFT}", (FAILS,)),
    "latex think": (f"\\begin{{thinking}}{DRAFT}\\end{{thinking}}{FINAL}", (RIGHT, FAILS)),
    "star think": (f"*thinking* {DRAFT} *end thinking* {FINAL}", (RIGHT, FAILS)),
    "unused": (f"<unused94>thought\n{DRAFT}<unused95>{FINAL}", (RIGHT, FAILS)),
    "unused open": (f"<unused94>thought\n{DRAFT}", (FAILS,)),
    "kimi": (f"◁think▷{DRAFT}", (FAILS,)),
    "ernie": (f"<think>\n{DRAFT}\n</think>\n\n<response>\n{FINAL}\n</response>\n", (RIGHT,)),
    "hunyuan": (f"<think>{DRAFT}</think>\n<answer>\n{FINAL}\n</answer>", (RIGHT,)),
    "gptoss": (f"analysis{DRAFT}assistantfinal{FINAL}", (RIGHT, FAILS)),
    "gptoss open": (f"analysisWe need {DRAFT}", (FAILS,)),
    "step": (f"<reasoning_steps>{DRAFT}</reasoning_steps>{FINAL}", (RIGHT,)),
    "glm": (f"<think></think>\n<|begin_of_box|>{FINAL}<|end_of_box|>", (RIGHT,)),
    "commentary": (f"<|channel|>commentary<|message|>{DRAFT}<|end|>", (FAILS,)),
}.items():
    CASES.add("think2 " + n, x, *outs)

"""Replies that were cut, have reasoning or wrapping around the answer, hold no answer, or answer one expression.

The outcomes were decided by reading the replies, before the parser was run on them.
"""

import json

from tests.core.reply_cases import (
    ASKED,
    BOAT,
    DRAFT,
    E0,
    E1,
    FINAL,
    GULL_1,
    GULLS,
    LIGHT,
    ONE,
    ONE_RIGHT,
    THREE,
    by_id,
    by_label,
    corners,
    cut,
    envelope,
    fails,
    labelled,
    reads,
    reads_or_fails,
    spaced,
    tokens,
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

CASES = LENGTH + REASONING + NO_ANSWER + WRAPPED + SINGLE

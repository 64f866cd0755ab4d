"""Replies whose documents say more than was asked: side members, versions, echoes, reasoning.

The outcomes were decided by reading the replies, before the parser was run on them.
"""

import json

from tests.core.reply_cases import (
    ASKED,
    BOAT,
    CUT,
    DRAFT,
    E0,
    E1,
    E2,
    FAILS,
    FINAL,
    GULLS,
    LIGHT,
    ONE,
    RIGHT,
    THREE,
    Cases,
    by_id,
    envelope,
    labelled,
)

CASES = Cases()


# side fields
for n, f in {
    "note": {"note": "All objects found."},
    "status": {"status": "success"},
    "coord": {"coordinate_system": "normalized 0-1000"},
    "bbox_format": {"bbox_format": "x1y1x2y2"},
    "usage": {"usage": {"total_tokens": 120}},
    "warn": {"warnings": []},
    "err null": {"error": None},
    "image": {"image": "0001.jpg", "image_id": 7},
    "threshold": {"confidence_threshold": 0.5},
    "image box": {"image_box": [0, 0, 1000, 1000]},
    "size": {"image_size": {"width": 1000, "height": 1000}},
    "summary": {"summary": {"total": 5, "labels": ["boat"]}},
    "legend": {"legend": "e0 = boat"},
}.items():
    CASES.add("side " + n, {**f, **json.loads(FINAL)}, RIGHT)
    CASES.add("side behind " + n, {**json.loads(FINAL), **f}, RIGHT)
CASES.add(
    "side image: bbox of image", {"image": {"bbox": [0, 0, 1000, 1000]}, **json.loads(FINAL)}, RIGHT, FAILS
)
EMPTY = envelope(by_id("e0"), by_id("e1"), by_id("e2"))
NONE = {"e0": [], "e1": [], "e2": []}
CASES.add("all empty", EMPTY, NONE)
CASES.add("all empty ok note", {**json.loads(EMPTY), "note": "none of the objects is visible"}, NONE)
for n, f in {
    "image": {"image": "not received"},
    "err": {"error": "image decode failed"},
    "msg": {"message": "Please attach the photo."},
    "recv": {"image_received": False},
    "detail": {"details": {"reason": "No image provided"}},
    "list": {"warnings": ["the picture was blank"]},
    "status": {"status": "no_image"},
    "vis": {"image_visible": "no"},
    "obs": {"observations": "I can't view images directly."},
    "caption": {"description": "a completely black image"},
    "code": {"error": {"code": "image_missing"}},
}.items():
    CASES.add("unseen " + n, {**json.loads(EMPTY), **f}, FAILS)
CASES.add(
    "unseen nested entry",
    envelope({"id": "e0", "boxes": [], "comment": "image not available"}, by_id("e1"), by_id("e2")),
    FAILS,
)
CASES.add(
    "entry comment not visible",
    envelope(
        {"id": "e0", "boxes": [], "comment": "not visible in the image"},
        by_id("e1", LIGHT),
        by_id("e2", *GULLS),
    ),
    RIGHT | {"e0": []},
)
ECHO = '{"expressions": [{"id": "e0", "boxes": [{"bbox_2d": [x1, y1, x2, y2], "score": 0.93}]}]}'
LIST = json.dumps([{"id": i, "text": t} for i, t in ASKED.items()])
CASES.add("prompt example first", f"Format: {ECHO}\n{FINAL}", RIGHT, FAILS)
CASES.add(
    "prompt example with zeros first",
    'Format: {"expressions": [{"id": "e0", "boxes": [{"bbox_2d": [0, 0, 0, 0]}]}]}\n' + FINAL,
    RIGHT,
    FAILS,
)
CASES.add("prompt example last", f"{FINAL}\nFormat used: {ECHO}", RIGHT, FAILS)
CASES.add("expression list first", f"<expressions>{LIST}</expressions>\n{FINAL}", RIGHT, FAILS)
CASES.add("expression list first bare", f"{LIST}\n{FINAL}", RIGHT, FAILS)
CASES.add("expression list last", f"{FINAL}\n{LIST}", RIGHT, FAILS)
CASES.add("final then empty object", f"{FINAL}\n{{}}", RIGHT, FAILS)
CASES.add("final then empty list", f"{FINAL}\n[]", RIGHT, FAILS)
CASES.add("final then all empty", f"{FINAL}\n{EMPTY}", NONE, FAILS)
CASES.add("empty then final", f"[]\n{FINAL}", RIGHT, FAILS)
CASES.add(
    "two images",
    f"Image 1:\n{FINAL}\nImage 2:\n{DRAFT}",
    FAILS,
    {"e0": [[1, 2, 30, 40]], "e1": [[5, 6, 70, 80]], "e2": [[9, 9, 33, 33]]},
)
CASES.add("array of two documents", f"[{DRAFT}, {FINAL}]", RIGHT, FAILS)
CASES.add("array of the same document twice", f"[{FINAL}, {FINAL}]", RIGHT, FAILS)
CASES.add("json lines with numbers", "1. " + E0 + "\n2. " + E1 + "\n3. " + E2, RIGHT, FAILS)
CASES.add(
    "per expr fenced, absent word",
    f"e0:\n```json\n{[BOAT]}\n```\ne1:\nnot visible\ne2:\n```json\n{GULLS}\n```",
    RIGHT | {"e1": []},
    FAILS,
)
CASES.add("md thinking", f"**Thinking:** {DRAFT}\n**Answer:** {FINAL}", RIGHT)
CASES.add("headings", f"### Reasoning\n{DRAFT}\n### Answer\n{FINAL}", RIGHT)
CASES.add("fence thinking then final", f"```thinking\n{DRAFT}\n```\n```json\n{FINAL}\n```", RIGHT)
CASES.add("fence thinking only", f"```thinking\n{DRAFT}\n```", FAILS)
CASES.add("fence thought only prose", f"```thought\nI think {DRAFT}\n```\nI will now look closer.", FAILS)
CASES.add("mismatched", f"<thinking>{DRAFT}</think>{FINAL}", RIGHT, FAILS)
CASES.add("escaped tags", f"&lt;think&gt;{DRAFT}&lt;/think&gt;{FINAL}", RIGHT, FAILS)
CASES.add("escaped tags open", f"&lt;think&gt;{DRAFT} hm", FAILS)
CASES.add("pipe thinking", f"<|thinking|>{DRAFT}<|/thinking|>{FINAL}", RIGHT)
CASES.add("pipe open", f"<|thinking|>{DRAFT} hmm", FAILS)
CASES.add("brackets lower", f"[think]{DRAFT}[/think]{FINAL}", RIGHT, FAILS)
CASES.add("brackets lower open", f"[think]{DRAFT} and so", FAILS)
CASES.add("braces", f"{{{{think}}}}{DRAFT}{{{{/think}}}}{FINAL}", RIGHT, FAILS)
CASES.add("curly chinese", f"【思考】{DRAFT}【/思考】{FINAL}", RIGHT, FAILS)
CASES.add("chinese open", f"【思考】{DRAFT}【", FAILS)
CASES.add("only in summary", f"<details><summary>Thoughts</summary>{DRAFT}</details>", FAILS)
CASES.add(
    "zoom tool",
    '<tool_call>\n{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [120, 210, 340, 430], "label": "the white boat"}}\n</tool_call>',
    FAILS,
    asked=ONE,
)
CASES.add(
    "zoom tool then final",
    '<tool_call>\n{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [1, 2, 30, 40], "label": "the white boat"}}\n</tool_call>\n'
    + FINAL,
    RIGHT,
    FAILS,
)
CASES.add(
    "TOOL_CALLS",
    '[TOOL_CALLS][{"name": "zoom", "arguments": {"bbox_2d": [1, 2, 30, 40], "label": "the white boat"}}]',
    FAILS,
    asked=ONE,
)
CASES.add(
    "function=",
    '<function=zoom>{"bbox_2d": [1, 2, 30, 40], "label": "the white boat"}</function>',
    FAILS,
    asked=ONE,
)
CASES.add(
    "action json",
    '{"action": "zoom", "action_input": {"bbox_2d": [1, 2, 30, 40], "label": "the white boat"}}',
    FAILS,
    asked=ONE,
)
CASES.add(
    "invoke xml",
    '<invoke name="zoom"><parameter name="bbox">[1, 2, 30, 40]</parameter></invoke>',
    FAILS,
    asked=ONE,
)
CASES.add(
    "plain tool json",
    '{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [1, 2, 30, 40]}}',
    FAILS,
    asked=ONE,
)
CASES.add("tool with input", '{"tool": "crop", "input": {"bbox_2d": [1, 2, 30, 40]}}', FAILS, asked=ONE)
CASES.add("len ndjson all three", f"{E0}\n{E1}\n{E2}\n", RIGHT, CUT, ended_for_length=True)
CASES.add("len map", json.dumps({ASKED[i]: b for i, b in RIGHT.items()}), RIGHT, CUT, ended_for_length=True)
CASES.add("len list", labelled("the white boat", "a lighthouse", *THREE), RIGHT, CUT, ended_for_length=True)
CASES.add("len closes early", envelope(by_id("e0", BOAT), by_id("e1", LIGHT)), CUT, ended_for_length=True)

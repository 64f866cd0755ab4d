"""Replies that are wrapped, or hold several versions of their boxes.

The outcomes were decided by reading the replies, before the parser was run on them.
"""

import json

from tests.core.reply_cases import BOAT, DRAFT, FAILS, FINAL, GULLS, LIGHT, RIGHT, Cases, by_id, envelope

CASES = Cases()
ALT = [300, 300, 400, 420]


WHOLE = json.loads(FINAL)
for n, w in {
    "data": {"data": WHOLE},
    "image_1": {"image_1": WHOLE},
    "0": {"0": WHOLE},
    "list list": [[WHOLE]],
    "message": {"role": "assistant", "content": FINAL},
    "choices": {"choices": [{"message": {"content": FINAL}}]},
    "parts": {"content": [{"type": "text", "text": FINAL}]},
    "schema": {"type": "object", "properties": WHOLE},
    "toolcalls": {"tool_calls": [{"function": {"name": "x", "arguments": FINAL}}]},
    "call": {"name": "locate", "arguments": WHOLE},
    "exprs string": {"expressions": json.dumps(WHOLE["expressions"])},
    "exprs map": {"expressions": {e["id"]: e["boxes"] for e in WHOLE["expressions"]}},
    "status": {"status": "success", "response": WHOLE},
    "grounding": {"grounding": {"results": WHOLE["expressions"]}},
    "json": {"json": WHOLE},
    "deep": {"a": {"b": {"c": {"d": WHOLE}}}},
    "output text": {"output": [{"content": [{"text": FINAL}]}]},
}.items():
    CASES.add("wrap " + n, w, RIGHT, FAILS)
FIRST = json.loads(DRAFT)
for a, b in [
    ("attempt_1", "final"),
    ("initial", "refined"),
    ("step1", "step2"),
    ("first_pass", "corrected"),
    ("old", "new"),
    ("before", "after"),
    ("raw", "filtered"),
    ("candidates", "expressions"),
    ("proposals", "expressions"),
    ("example", "expressions"),
    ("expressions_v1", "expressions"),
    ("expressions", "expressions_v2"),
    ("previous", "expressions"),
    ("expressions", "rejected"),
    ("expressions", "discarded"),
]:
    first, second = (FIRST, WHOLE)
    if b in ("rejected", "discarded"):
        first, second = WHOLE, FIRST

    def un(k, v):
        return v["expressions"] if k.startswith("expressions") else v

    CASES.add(f"two versions {a}/{b}", {a: un(a, first), b: un(b, second)}, RIGHT, FAILS)
CASES.add(
    "dup envelope key",
    '{"expressions": '
    + json.dumps(FIRST["expressions"])
    + ', "expressions": '
    + json.dumps(WHOLE["expressions"])
    + "}",
    RIGHT,
    FAILS,
)
CASES.add("dup envelope key result", '{"result": ' + DRAFT + ', "result": ' + FINAL + "}", RIGHT, FAILS)
CASES.add(
    "dup boxes key",
    FINAL.replace('"id": "e0", "boxes": ', '"id": "e0", "boxes": [{"bbox_2d": [1, 2, 30, 40]}], "boxes": '),
    RIGHT,
    FAILS,
)
CASES.add(
    "dup bbox key",
    FINAL.replace('"bbox_2d": [120', '"bbox_2d": [1, 2, 30, 40], "bbox_2d": [120'),
    RIGHT,
    FAILS,
    RIGHT | {"e0": [[1, 2, 30, 40], BOAT]},
)
CASES.add("dup id key", FINAL.replace('"id": "e0"', '"id": "e5", "id": "e0"'), RIGHT, FAILS)
for k in (
    "rejected",
    "alternatives",
    "alternative_boxes",
    "rejected_boxes",
    "previous",
    "candidates",
    "discarded_boxes",
    "parts",
    "context",
    "not_this",
    "similar_objects",
    "excluded",
):
    CASES.add(
        f"entry {k}",
        envelope(
            {**by_id("e0", BOAT), k: [{"bbox_2d": ALT, "score": 0.3}]},
            by_id("e1", LIGHT),
            by_id("e2", *GULLS),
        ),
        RIGHT,
        FAILS,
    )
    CASES.add(
        f"entry bare {k}",
        envelope({**by_id("e0", BOAT), k: [ALT]}, by_id("e1", LIGHT), by_id("e2", *GULLS)),
        RIGHT,
        FAILS,
    )
CASES.add(
    "entry empty but rejected",
    envelope(
        {**by_id("e0"), "rejected": [{"bbox_2d": ALT, "reason": "not white"}]},
        by_id("e1", LIGHT),
        by_id("e2", *GULLS),
    ),
    RIGHT | {"e0": []},
    FAILS,
)
